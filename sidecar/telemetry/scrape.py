"""All sources of one scrape, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..channel.page import PageSnapshot
from ..report.schema import Report


class IntentStatus(Protocol):
    """One intent and what became of it; `error` is why the last attempt failed, times are epoch seconds."""

    @property
    def kind(self) -> str:
        """What is wanted."""

    @property
    def episode(self) -> str:
        """The cause."""

    @property
    def state(self) -> str:
        """What became of it."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def attempts(self) -> int:
        """How often it was sent."""

    @property
    def decided_at(self) -> float:
        """When it was decided."""

    @property
    def next_at(self) -> float | None:
        """When it is sent next, while it is pending."""

    @property
    def error(self) -> str | None:
        """Why the last attempt failed."""


class ControlStatus(Protocol):
    """What the control loop shows: intents, totals by (kind, outcome, reason), and the outbox."""

    @property
    def intents(self) -> Sequence[IntentStatus]:
        """The newest intents, newest first."""

    @property
    def problem(self) -> str | None:
        """What hinders the loop."""

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

    @property
    def damaged(self) -> int:
        """Lines of the outbox that were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeInput:
    """One moment: `page` was read after `report` was taken; None without a proxy. `now` is epoch seconds."""

    report: Report
    page: PageSnapshot | None
    control: ControlStatus | None
    now: float
    memory_limit: int = 0
