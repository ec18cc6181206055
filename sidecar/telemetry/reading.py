"""All sources of one scrape, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pilotfish.sidecar.channel.page import PageSnapshot
from pilotfish.sidecar.report import Report


class ControlStatus(Protocol):
    """What the control loop shows: totals by (kind, outcome, reason), and the outbox."""

    @property
    def totals(self) -> Sequence[tuple[str, str, str, int]]:
        """Intents decided so far."""

    @property
    def pending(self) -> int:
        """Entries that wait."""

    @property
    def dead(self) -> int:
        """Entries that were given up."""

    @property
    def unsaved(self) -> int:
        """Changes that are not on disk yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One moment: `page` was read after `report` was taken; None without a proxy. `now` is epoch seconds."""

    report: Report
    page: PageSnapshot | None
    control: ControlStatus | None
    now: float
    memory_limit: int = 0
