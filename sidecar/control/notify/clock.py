"""Measures how long each blind spot has lasted, or has been gone, by a clock that never jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ...report.schema import BLIND_REASONS, BlindSpot
from ..situation import BlindFacts


@dataclass(frozen=True, slots=True)
class _Span:
    """Since when a reason has been active or not, by both clocks, and since when it has been total."""

    active: bool
    since: float
    started: float
    total_started: float | None = None


class BlindClock:
    """The present blind spots with their durations. `monotonic` returns seconds; `reasons` are those that may occur.

    At the start, all reasons count as gone since then: a restart does not tell whether they were.
    """

    def __init__(
        self, now: float, monotonic: Callable[[], float], reasons: Iterable[str] = tuple(BLIND_REASONS)
    ) -> None:
        self._monotonic = monotonic
        started = monotonic()
        self._spans = {reason: _Span(active=False, since=now, started=started) for reason in reasons}

    def update(self, spots: Iterable[BlindSpot], now: float) -> tuple[BlindFacts, ...]:
        """Return one BlindFacts for each reason at `now`, in epoch seconds."""
        at, present = self._monotonic(), {spot.reason: spot for spot in spots}
        return tuple(self._facts(reason, present.get(reason), now, at) for reason in self._spans)

    def _facts(self, reason: str, spot: BlindSpot | None, now: float, at: float) -> BlindFacts:
        span = self._spans[reason]
        if span.active != (spot is not None):
            span = _Span(active=spot is not None, since=now, started=at)
        total = spot is not None and spot.total
        if total != (span.total_started is not None):
            span = replace(span, total_started=at if total else None)
        self._spans[reason] = span
        return BlindFacts(
            reason=reason,
            active=span.active,
            since=span.since,
            seconds=at - span.started,
            total_seconds=at - span.total_started if span.total_started is not None else 0.0,
            total=total,
            text=spot.text if spot is not None else "",
        )
