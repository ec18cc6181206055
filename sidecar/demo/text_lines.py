"""The state as plain lines, without a terminal: each timeline entry once, and a status line every few days."""

from __future__ import annotations

from collections.abc import Iterator

from ..report.schema import Report
from .state import DemoState, date_of, height

EVERY = 5  # days between two status lines


def new_lines(before: DemoState, after: DemoState) -> Iterator[str]:
    """Yield the lines that `after` adds to `before`."""
    for entry in after.entries[len(before.entries) :]:
        stamp = f"{date_of(entry.day):%d %b}" if entry.day is not None else "      "
        yield f"{stamp}  {entry.text}"
    if len(after.days) > len(before.days) and len(after.days) % EVERY == 0:
        yield _standing(after)


def _standing(state: DemoState) -> str:
    day = state.days[-1]
    return (
        f"{date_of(day.number):%d %b}    {day.rows} rows/s in {day.requests} requests/s, "
        f"{day.added:+.2f} ms added, error {day.error:.1f} min; evidence: {_evidence(state.report)}"
    )


def _evidence(report: Report | None) -> str:
    heights = {family.name: height(family, report) for family in report.families} if report else {}
    return ", ".join(f"{name} {'alarm' if share >= 1 else f'{share:.0%}'}" for name, share in heights.items()) or "none"
