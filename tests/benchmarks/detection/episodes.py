"""One cause, one alarm: a lasting drift, the time after it, and periods without drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.benchmarks.detection.columns import Normal
from tests.benchmarks.detection.results import Judged, mean_at_most
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import MONTH, Traffic, reference, settings

FEATURES, REFERENCE, ROWS, TOLERANCE = 20, 100_000, 50, 0.0025
QUIET_TICKS, PATIENCE = 50, 1000


def run(seeds: Sequence[int], *, ticks: int, shift: float) -> list[dict[str, Any]]:
    """For each seed: alarms and closings during a drift of `ticks` ticks, and the ticks from its end to the closing."""
    columns = [Normal()] * FEATURES
    profile = reference(columns, REFERENCE, TOLERANCE, [seeds[0], 4])
    found: list[dict[str, Any]] = []
    traffic = None
    for seed in seeds:
        traffic = Traffic(profile, columns, settings(MONTH, TOLERANCE), [seed, 2], like=traffic)
        for _ in range(QUIET_TICKS):
            traffic.step(ROWS)
        traffic.draw.change(Normal(shift))
        during = [traffic.step(ROWS) for _ in range(ticks)]
        traffic.draw.change(Normal())
        after = (traffic.step(ROWS) for _ in range(PATIENCE))
        closed = (number for number, result in enumerate(after, 1) if any(c.kind == "closed" for c in result.changes))
        found.append(
            {
                "pages": sum(len(result.alarms) for result in during),
                "false_closings": sum(change.kind == "closed" for result in during for change in result.changes),
                "closed_after": next(closed, PATIENCE),
            }
        )
    return found


def _judge(outcomes: Sequence[dict[str, Any]]) -> Judged:
    pages, closing, mistaken = (
        mean_at_most([found[key] for found in outcomes], most, unit)
        for key, most, unit in (
            ("pages", 1.2, "alarms"), ("closed_after", 60.0, "ticks"), ("false_closings", 0.0, "false closings")
        )
    )  # fmt: skip
    text = f"{pages.measured}; closed {closing.measured} after its end; {mistaken.measured}"
    bound = f"{pages.bound} alarms; {closing.bound} ticks"
    figures = {"pages": pages.figures, "closed_after": closing.figures}
    return Judged(text, bound, bool(pages.met and closing.met and mistaken.met), figures)


def cases(quick: bool) -> list[Case]:
    runs, ticks = (4, 300) if quick else (20, 3000)
    return [
        Case(
            name=f"+ {shift:g} sd for {ticks:,} ticks",
            target="<= 1.2 alarms; closed <= 60 ticks after; no false closing",
            measure=run,
            judge=_judge,
            runs=runs,
            chunk=2 if quick else 4,
            options={"ticks": ticks, "shift": shift},
        )
        for shift in (0.3, 0.5, 1.0)
    ]
