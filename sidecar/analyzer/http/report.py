"""Builds the response of `GET /report`: the report, blind spots, current traffic, and the control loop's status."""

from __future__ import annotations

from typing import Any

from ...channel.page import PageSnapshot, RouteCounters
from ...report.accounting import account_exchanges
from ...report.response import Accounting, ReportResponse, RouteTraffic
from ...report.schema import ExchangeCount, Report
from ...telemetry.scrape import ScrapeInput


def build_response(report: Report, reading: ScrapeInput) -> ReportResponse:
    """Return `report` with the traffic, the blind spots and the control status of `reading`.

    `reading` must be read after `report`, or the accounting could count more exchanges than the proxy has seen.
    """
    fields: dict[str, Any] = {name: getattr(report, name) for name in report.__struct_fields__}
    fields["warnings"] = (*(spot.text for spot in reading.blind), *report.warnings)
    live: dict[str, Any] = {"control": reading.control, "blind": reading.blind, "sync": reading.sync}
    live["resources"] = reading.resources
    if reading.page is None:
        return ReportResponse(**fields, **live)
    routes = tuple(map(_route, reading.page.routes))
    accounting = _accounting(reading.page, report)
    return ReportResponse(**fields, **live, accounting=accounting, routes=routes)


def _accounting(page: PageSnapshot, report: Report) -> Accounting:
    totals = account_exchanges(page, report.counts)
    fates = (ExchangeCount(fate, reason, amount) for (fate, reason), amount in sorted(totals.outcomes.items()))
    return Accounting(seen=totals.seen, fates=tuple(fates))


def _route(route: RouteCounters) -> RouteTraffic:
    duration = route.histograms["duration"]
    return RouteTraffic(
        route=route.route,
        requests={code: amount for code, amount in route.codes.items() if amount},
        in_flight=route.in_flight,
        request_bytes=route.bytes_in,
        response_bytes=route.bytes_out,
        seconds={"p50": duration.quantile(0.5), "p99": duration.quantile(0.99)},
    )
