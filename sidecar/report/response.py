"""The response of `GET /report`: the Report, with the traffic and the control loop as they are at that moment.

The worker makes the Report now and then; the counter page and the control loop are read anew for each request.
"""

from __future__ import annotations

import msgspec

from .control_status import ControlStatus
from .schema import ExchangeCount, Report


class Accounting(msgspec.Struct, frozen=True, kw_only=True):
    """Every exchange that the proxy has seen, by fate, `queued` among them."""

    seen: int
    fates: tuple[ExchangeCount, ...] = ()


class RouteTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic of one route; `requests` by status class, `seconds` the median (p50) and p99 of the duration."""

    route: str
    requests: dict[str, int]
    in_flight: int
    request_bytes: int
    response_bytes: int
    seconds: dict[str, float | None]


class ReportResponse(Report, frozen=True, kw_only=True):
    """The Report with the traffic and the control loop at the moment of the request.

    `accounting` is None without a proxy, `control` without a control loop.
    """

    accounting: Accounting | None = None
    routes: tuple[RouteTraffic, ...] = ()
    control: ControlStatus | None = None
