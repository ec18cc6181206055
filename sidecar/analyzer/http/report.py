"""What `GET /report` answers: the Report, and beside it what the proxy and the control loop show at this moment."""

from __future__ import annotations

from typing import Any

import msgspec

from ...channel.page import PageSnapshot, RouteCounters
from ...report.response import Accounting, ControlInfo, ReportResponse, RouteTraffic
from ...report.schema import ExchangeCount, Report
from ...telemetry.accounting import account_exchanges
from ...telemetry.scrape import ScrapeInput


def build_response(made: Report, reading: ScrapeInput) -> ReportResponse:
    """Return `made` with the traffic and the control loop of `reading`, which was read after it."""
    given: dict[str, Any] = {name: getattr(made, name) for name in made.__struct_fields__}
    control = None if reading.control is None else msgspec.convert(reading.control, ControlInfo, from_attributes=True)
    if reading.page is None:
        return ReportResponse(**given, control=control)
    routes = tuple(map(_route, reading.page.routes))
    return ReportResponse(**given, accounting=_accounting(reading.page, made), routes=routes, control=control)


def _accounting(page: PageSnapshot, made: Report) -> Accounting:
    whole = account_exchanges(page, made.counts)
    fates = (ExchangeCount(fate, reason, amount) for (fate, reason), amount in sorted(whole.fates.items()))
    return Accounting(seen=whole.seen, fates=tuple(fates))


def _route(route: RouteCounters) -> RouteTraffic:
    took = route.histograms["duration"]
    return RouteTraffic(
        route=route.route,
        requests={code: amount for code, amount in route.codes.items() if amount},
        in_flight=route.in_flight,
        request_bytes=route.bytes_in,
        response_bytes=route.bytes_out,
        seconds={"p50": took.quantile(0.5), "p99": took.quantile(0.99)},
    )
