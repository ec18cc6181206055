"""The response of `GET /report`: the Report, with traffic and control loop at the time of the request.

The worker makes a Report after each checkpoint. The counter page and the control loop are read for each request.
"""

from __future__ import annotations

import msgspec

from .blocks.resources import ResourceReport
from .control_status import ControlStatus
from .schema import BlindSpot, ExchangeCount, Report
from .sync_status import SyncStatus


class Accounting(msgspec.Struct, frozen=True, kw_only=True):
    """All exchanges that the proxy has seen, by outcome (JSON key `fates`), including `queued`."""

    seen: int
    fates: tuple[ExchangeCount, ...] = ()


class RouteTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """The traffic of one route: `requests` by status class, and `seconds` with the p50 and p99 of the duration."""

    route: str
    requests: dict[str, int]
    in_flight: int
    request_bytes: int
    response_bytes: int
    seconds: dict[str, float | None]


class ReportResponse(Report, frozen=True, kw_only=True):
    """The Report with traffic, blind spots and control loop at the time of the request.

    The texts of `blind` are also the first ones of `warnings`. `accounting` is None without a proxy, and `control` is
    None without a control loop. `sync` is None unless a controller gets the counts. `resources` is None where
    they are not sampled, such as in a replay.
    """

    accounting: Accounting | None = None
    routes: tuple[RouteTraffic, ...] = ()
    control: ControlStatus | None = None
    blind: tuple[BlindSpot, ...] = ()
    sync: SyncStatus | None = None
    resources: ResourceReport | None = None
