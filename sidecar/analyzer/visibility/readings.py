"""One reading: the values of one moment that the conditions compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...channel.page import PageSnapshot
from ...channel.upstreams import UnreachableUpstream
from ...report.accounting import account_exchanges
from ...report.schema import Report
from ...report.sync_status import SyncStatus
from ...settings.document import ModelMonitor
from ...telemetry.traffic import HEARTBEAT_TIMEOUT_SECONDS
from ..snapshot import Snapshot
from .history import History, Key, Totals

OPAQUE_UNIT_BYTES = 256  # opaque bytes that weigh as much as one exchange: about a small call of gRPC


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the conditions need beside the counters.

    Attributes:
        document: the document in force; None without one.
        profile_wanted: why a profile should be in force; empty if none is expected.
        detects: whether this process runs detection; False for a pod, where it runs elsewhere.
    """

    document: ModelMonitor | None = None
    profile_wanted: str = ""
    detects: bool = True


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The state of the analyzer and of the proxy at `now`, epoch seconds.

    Attributes:
        page: the counter page; None if it is missing, damaged or has another layout.
        page_problem: why there is no page; empty if that is unknown.
        connected: whether the analyzer's socket has a connection.
        sync: the state of the sync with the controller; None without one.
        unreachable: the upstreams that the proxy cannot reach; empty before it has written them.
    """

    now: float
    snapshot: Snapshot
    page: PageSnapshot | None
    page_problem: str = ""
    connected: bool = True
    unreachable: tuple[UnreachableUpstream, ...] = ()
    setting: Setting = field(default_factory=Setting)
    sync: SyncStatus | None = None

    @property
    def report(self) -> Report:
        """The report of the snapshot."""
        return self.snapshot.report

    @property
    def proxy(self) -> PageSnapshot | None:
        """The counter page if its heartbeat is recent."""
        page = self.page
        fresh = page is not None and self.now - page.heartbeat_ns / 1e9 < HEARTBEAT_TIMEOUT_SECONDS
        return page if fresh else None

    def totals(self) -> Totals:
        """Return all counters of this reading."""
        report = self.report
        counters: dict[Key, int] = {("late",): report.ticks.late_rows}
        for side in ("input", "prediction"):
            counters["rows", side] = sum(item.rows for item in report.rows if item.side == side)
        for item in report.rows:
            if item.side == "input":
                counters["model", item.model] = item.rows
        for reason, amount in report.predictions_unread.items():
            counters["unread", reason] = amount
        for label in report.feedback.labels:
            counters["label", label.outcome] = label.labels
        for reason, amount in report.feedback.unused.items():
            counters["unused", reason] = amount
        counters |= _outcomes(report, self.page)
        if self.page is not None:
            counters |= _relayed(self.page)
        return Totals(counters, self.snapshot.columns)


@dataclass(frozen=True, eq=False)
class View:
    """The argument of each condition: the present reading, the counters of earlier ones, the reasons found before."""

    reading: Reading
    history: History
    present: frozenset[str] = frozenset()


def _outcomes(report: Report, page: PageSnapshot | None) -> dict[Key, int]:
    if page is None:
        return {("outcome", item.fate, item.reason): item.exchanges for item in report.counts}
    found: Mapping[tuple[str, str], int] = account_exchanges(page, report.counts).outcomes
    return {("outcome", *outcome): amount for outcome, amount in found.items() if outcome[0] != "queued"}


def _relayed(page: PageSnapshot) -> dict[Key, int]:
    opaque = page.connections["opaque_bytes_in"] + page.connections["opaque_bytes_out"]
    found: dict[Key, int] = {
        ("accepted",): page.accepted,
        ("clients", "accepted"): page.connections["accepted"],
        ("clients", "descriptors"): page.connections["refused_descriptors"],
        ("clients", "limit"): page.connections["refused_limit"],
        ("opaque", "connections"): page.connections["opaque"],
        ("opaque", "units"): page.connections["opaque"] + opaque // OPAQUE_UNIT_BYTES,
    }
    found |= {("downgrade", reason): amount for reason, amount in page.downgrades.items()}
    return found
