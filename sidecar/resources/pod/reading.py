"""The state of the analyzer's questions to the node: the newest figures, or why there are none. Pure.

A question that fails now and then changes nothing: the counters go on, and the next response covers the time. Figures
that are older than `STALE_SECONDS` are dropped, so that a source without an answer ends instead of showing old values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ...report.blocks.resources import SourceReason
from .figures import PodFigures

STALE_SECONDS = 10.0
LONGEST_WAIT = 60.0  # between two questions to a node that does not answer
LONGEST_INTERVAL = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReading:
    """What is known of the node.

    Attributes:
        figures: the newest ones; None if there are none that are current.
        fresh: whether they arrived since the last reading: only then a window ends.
        reason: why there are figures, or none; `detail` names the error.
    """

    figures: PodFigures | None = None
    fresh: bool = False
    reason: SourceReason = SourceReason.NODE_STARTING
    detail: str = ""


class NodeSource(Protocol):
    """What the sampling asks for figures."""

    async def ask(self) -> NodeReading:
        """Return the present reading; ask the node if it is time to. Raises no error."""

    async def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """What was answered, and when to ask again. Times are monotonic seconds."""

    reading: NodeReading = NodeReading()
    ask_at: float = 0.0
    answered_at: float | None = None
    failures: int = 0

    def due(self, now: float) -> bool:
        """Return whether it is time to ask."""
        return now >= self.ask_at

    def on_figures(self, figures: PodFigures, now: float) -> NodeState:
        """Return the state after a response."""
        wait = min(max(figures.next_seconds, 0.0), LONGEST_INTERVAL)
        reading = NodeReading(figures=figures, fresh=True, reason=SourceReason.NODE)
        return NodeState(reading, now + wait, now, 0)

    def on_failure(self, reason: SourceReason, detail: str, now: float, retry_after: float = 0.0) -> NodeState:
        """Return the state after a question without figures; the waits double from 1 s to LONGEST_WAIT."""
        wait = min(LONGEST_WAIT, max(retry_after, 2.0 ** min(self.failures, 10)))
        reading = self.reading
        if self.answered_at is None or now - self.answered_at > self.allowed:
            reading = NodeReading(reason=reason, detail=detail)
        return NodeState(replace(reading, fresh=False), now + wait, self.answered_at, self.failures + 1)

    def between(self, now: float) -> NodeState:
        """Return the state while nothing is asked."""
        current = self.reading.figures is None or self.answered_at is None or now - self.answered_at <= self.allowed
        if not current:
            return replace(self, reading=NodeReading(reason=SourceReason.NODE_STALE))
        return replace(self, reading=replace(self.reading, fresh=False))

    @property
    def allowed(self) -> float:
        """The age from which figures are dropped: a node may ask for longer intervals."""
        figures = self.reading.figures
        return max(STALE_SECONDS, 3 * min(figures.next_seconds, LONGEST_INTERVAL) if figures is not None else 0.0)
