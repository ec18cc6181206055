"""What `GET /report` answers: the Report, and of the moment of asking what only proxy and control loop know."""

from __future__ import annotations

import msgspec

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


class IntentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for because of an episode, and what became of it; times in epoch seconds."""

    id: str = ""
    kind: str
    cause: str = ""
    episode: str
    model: str = ""
    version: str = ""
    state: str
    reason: str
    attempts: int
    decided_at: float
    changed_at: float | None = None
    next_at: float | None = None
    error: str | None = None


class ControlInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The control loop: its newest intents, all outcomes as (kind, outcome, reason, count), its outbox."""

    intents: tuple[IntentInfo, ...] = ()
    totals: tuple[tuple[str, str, str, int], ...] = ()
    pending: int = 0
    dead: int = 0
    unsaved: int = 0
    damaged: int = 0
    problem: str | None = None


class ReportResponse(Report, frozen=True, kw_only=True):
    """What `GET /report` answers: the Report, and of the moment of asking the traffic and the control loop.

    `accounting` is None without a proxy, `control` without a control loop.
    """

    accounting: Accounting | None = None
    routes: tuple[RouteTraffic, ...] = ()
    control: ControlInfo | None = None
