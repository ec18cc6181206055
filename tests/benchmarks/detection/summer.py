"""Summer time: a daily cycle in local time, compared hour by hour.

Two columns whose mean swings by 1.5 sd with the time of day in Berlin; ticks of 15 minutes, 10 rows each, tolerance
.0025, one false alarm in 30 days. Sixty days are the reference, the next sixty are live; the clocks change in the live
part, on the last Sunday of March or of October.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from tests.benchmarks.detection.processes import DAY, Recording
from tests.benchmarks.detection.recurring import MONTH_DAYS, ticks
from tests.benchmarks.detection.results import Judged, false_alarms, with_lower_bound
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import columns_only

ZONE = ZoneInfo("Europe/Berlin")
TICK, ROWS, SWING, COLUMNS = 900.0, 10, 1.5, 2


@dataclass(frozen=True)
class Season:
    """The beginning of the reference and its days, the days live, and the midnight before the change."""

    start: datetime
    reference_days: int
    live_days: int
    change: datetime


SEASONS = {
    "March": Season(datetime(2025, 1, 20, tzinfo=UTC), 60, 60, datetime(2025, 3, 30, tzinfo=UTC)),
    "October": Season(datetime(2025, 8, 10, tzinfo=UTC), 60, 60, datetime(2025, 10, 26, tzinfo=UTC)),
    "a year of reference, a year live": Season(
        datetime(2023, 11, 15, tzinfo=UTC), 365, 365, datetime(2025, 3, 30, tzinfo=UTC)
    ),
}


def run(seeds: Sequence[int], *, season: Season, timezone: str) -> list[dict[str, int]]:
    """For each seed, the alarms before and after the change."""
    return [_run(np.random.default_rng([seed, 12]), season, timezone) for seed in seeds]


def _run(rng: np.random.Generator, season: Season, timezone: str) -> dict[str, int]:
    border = season.start + timedelta(days=season.reference_days)
    reference = _rows(season.start, season.reference_days, rng)
    profile = build_profile(reference.columns, times=reference.times, tick_seconds=TICK, timezone=timezone)
    built = columns_only(profile)
    monitor = DriftMonitor(built, DriftSettings(TICK, 1.0, MONTH_DAYS * DAY, timezone=timezone))
    alarms = [
        tick * TICK - season.change.timestamp()
        for tick, counts in ticks(built, _rows(border, season.live_days, rng), TICK)
        for _ in monitor.close_tick(tick, counts).alarms
    ]
    after = sum(seconds >= 0 for seconds in alarms)
    return {"after": after, "before": len(alarms) - after}


def _rows(start: datetime, days: int, rng: np.random.Generator) -> Recording:
    begun = start.timestamp() + np.arange(0, days * DAY, TICK)
    offsets = [ZONE.utcoffset(datetime.fromtimestamp(second, UTC).astimezone(ZONE)) for second in begun.tolist()]
    local = begun + np.array([offset.total_seconds() for offset in offsets if offset is not None])
    level = np.repeat(SWING * np.sin(2 * np.pi * local / DAY), ROWS)
    columns = {f"x{i}": level + rng.normal(size=len(level)) for i in range(COLUMNS)}
    return Recording(np.repeat(begun, ROWS), columns)


def _judge(outcomes: Sequence[dict[str, int]], season: Season, timezone: str) -> Judged:
    """Nothing is wanted of UTC, in which the cycle moves when the clocks change."""
    judged = false_alarms([sum(found.values()) for found in outcomes], season.live_days / MONTH_DAYS)
    before, after = (sum(found[key] for found in outcomes) for key in ("before", "after"))
    text = f"{judged.measured}; {before} before the change, {after} after it"
    figures = {**judged.figures, "before": before, "after": after}
    bounded = with_lower_bound(replace(judged, measured=text, figures=figures))
    return replace(bounded, met=None) if timezone == "UTC" else bounded


def cases(quick: bool) -> list[Case]:
    return [
        Case(
            name=f"{name}, hours by {timezone}",
            target="-" if timezone == "UTC" else "<= 1.0 at its bound",
            measure=run,
            judge=partial(_judge, season=season, timezone=timezone),
            runs=1 if quick or season.live_days > 60 else 4,
            options={"season": season, "timezone": timezone},
        )
        for name, season in SEASONS.items()
        for timezone in ("UTC", ZONE.key)
    ]
