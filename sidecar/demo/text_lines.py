"""The story as plain lines, for where there is no terminal: each happening once, and now and then how things stand."""

from __future__ import annotations

from collections.abc import Iterator

from ..report.schema import Report
from .state import DemoState, date_of, height

EVERY = 5  # days between two lines about how things stand


def new_lines(before: DemoState, after: DemoState) -> Iterator[str]:
    """Yield the lines that `after` adds to `before`."""
    for happening in after.happenings[len(before.happenings) :]:
        stamp = f"{date_of(happening.day):%d %b}" if happening.day is not None else "      "
        yield f"{stamp}  {happening.text}"
    if len(after.days) > len(before.days) and len(after.days) % EVERY == 0:
        yield _standing(after)


def _standing(story: DemoState) -> str:
    day = story.days[-1]
    return (
        f"{date_of(day.number):%d %b}    {day.rows} rows/s in {day.requests} requests/s, "
        f"{day.added:+.2f} ms added, error {day.error:.1f} min; evidence: {_evidence(story.report)}"
    )


def _evidence(report: Report | None) -> str:
    heights = {family.name: height(family, report) for family in report.families} if report else {}
    return ", ".join(f"{name} {'alarm' if share >= 1 else f'{share:.0%}'}" for name, share in heights.items()) or "none"
