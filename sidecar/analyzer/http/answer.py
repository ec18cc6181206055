"""What `GET /report` answers: the Report, and beside it what the proxy and the control loop show at this moment."""

from __future__ import annotations

from typing import Any

import msgspec

from ...channel.page import PageSnapshot, RouteCounters
from ...report.answer import Accounting, Answer, Control, Route
from ...report.schema import Count, Report
from ...telemetry.account import account
from ...telemetry.reading import Reading


def answer(made: Report, reading: Reading) -> Answer:
    """Return `made` with the traffic and the control loop of `reading`, which was read after it."""
    given: dict[str, Any] = {name: getattr(made, name) for name in made.__struct_fields__}
    control = None if reading.control is None else msgspec.convert(reading.control, Control, from_attributes=True)
    if reading.page is None:
        return Answer(**given, control=control)
    routes = tuple(map(_route, reading.page.routes))
    return Answer(**given, accounting=_accounting(reading.page, made), routes=routes, control=control)


def _accounting(page: PageSnapshot, made: Report) -> Accounting:
    whole = account(page, made.counts)
    fates = (Count(fate, reason, amount) for (fate, reason), amount in sorted(whole.fates.items()))
    return Accounting(seen=whole.seen, fates=tuple(fates))


def _route(route: RouteCounters) -> Route:
    took = route.histograms["duration"]
    return Route(
        route=route.route,
        requests={code: amount for code, amount in route.codes.items() if amount},
        in_flight=route.in_flight,
        request_bytes=route.bytes_in,
        response_bytes=route.bytes_out,
        seconds={"p50": took.quantile(0.5), "p99": took.quantile(0.99)},
    )
