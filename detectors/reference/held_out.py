"""The held-out trial: a replay of the last third of the reference against a profile of the first two thirds.

Variances of blocks cannot show what a reference does over its whole length, such as a slow drift or a single change.
The trial uses the same settings as live detection. Its alarms are reported in the profile; they change no bound and no
threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from ..batch import Column, ColumnData, Floats, as_column
from ..detection.replay import Replay, TickSpan, tick_spans_by_rows, tick_spans_by_time
from ..errors import ProfileError, shown
from ..profile.profile import Profile
from ..profile.provenance import HeldOutAlarm, HeldOutTrial
from ..settings import DriftSettings
from .builder import Progress
from .layout import time_order

FEWEST_ROWS = 300  # reference rows that a trial needs
NAMED = 10  # features that are reported for each alarm

Build: TypeAlias = Callable[[Mapping[str, ColumnData], Floats | None], Profile]


def with_held_out(
    build: Build,
    columns: Mapping[str, ColumnData],
    times: Floats | None,
    *,
    tolerance: float,
    false_alarm_ticks: float,
    progress: Progress | None = None,
) -> Profile:
    """Return the profile of reference rows, with the result of the held-out trial.

    Args:
        build: returns a profile of columns [rows] and their times, by the same rules each time it is called.
        columns, times: as for `build_profile`.
        tolerance, false_alarm_ticks: of the trial.
        progress: called with (ticks done, ticks in all, "").

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.reference.held_out import with_held_out
        >>> rows = {"x": np.random.default_rng(1).normal(size=3000)}
        >>> build = lambda columns, times: build_profile(columns, times=times, rows_per_tick=10)
        >>> profile = with_held_out(build, rows, None, tolerance=0.0025, false_alarm_ticks=43_200)
        >>> profile.held_out.rows, profile.held_out.alarms
        (1000, ())
    """
    profile = build(columns, times)
    found = run_held_out_trial(build, columns, times, tolerance, false_alarm_ticks, progress)
    warned = () if found is None or not found.alarms else (_warning(found),)
    return replace(profile, held_out=found, warnings=(*profile.warnings, *warned))


def run_held_out_trial(
    build: Build,
    columns: Mapping[str, ColumnData],
    times: Floats | None,
    tolerance: float,
    false_alarm_ticks: float,
    progress: Progress | None = None,
) -> HeldOutTrial | None:
    """Return the alarms of the last third against the first two; None if it is too short or cannot be monitored."""
    ordered, at = _in_order(columns, times)
    rows = len(next(iter(ordered.values())).values)
    if rows < FEWEST_ROWS:
        return None
    cut = 2 * rows // 3
    try:
        trial = build(_stretch(ordered, slice(0, cut)), None if at is None else at[:cut])
    except ProfileError:
        return None
    tick_seconds = trial.reference.tick_seconds or 60.0
    late = None if at is None else at[cut:]
    spans = _spans(trial, rows - cut, late)
    settings = DriftSettings(tick_seconds, 1.0, false_alarm_ticks * tick_seconds, tolerance)
    alarms: list[HeldOutAlarm] = []
    for done, closed in enumerate(Replay(trial, settings).run(_stretch(ordered, slice(cut, rows)), spans, late)):
        if progress is not None:
            progress(done, len(spans), "")
        alarms += [
            HeldOutAlarm(cut + closed.row, alarm.family, tuple(item.name for item in alarm.features[:NAMED]))
            for alarm in closed.alarms
        ]
    return HeldOutTrial(rows - cut, len(spans), tuple(alarms))


def _in_order(columns: Mapping[str, ColumnData], times: Floats | None) -> tuple[dict[str, Column], Floats | None]:
    order = None if times is None else time_order(times)
    if times is None or order is None:
        return {name: as_column(data) for name, data in columns.items()}, times
    return {name: as_column(data).take(order) for name, data in columns.items()}, times[order]


def _stretch(columns: Mapping[str, Column], rows: slice) -> dict[str, Column]:
    return {name: column.take(rows) for name, column in columns.items()}


def _spans(trial: Profile, rows: int, times: Floats | None) -> list[TickSpan]:
    reference = trial.reference
    if times is not None and reference.tick_seconds is not None:
        return tick_spans_by_time(times, reference.tick_seconds)
    return tick_spans_by_rows(rows, max(1.0, reference.rows / reference.ticks))


def _warning(found: HeldOutTrial) -> str:
    times = "once" if len(found.alarms) == 1 else f"{len(found.alarms)} times"
    names = dict.fromkeys(name for alarm in found.alarms for name in alarm.features)
    return (
        f"the reference's last third would have paged {times} against its first two thirds, for {shown(list(names))}: "
        "it is not stable, or turns with a season that it is too short to know"
    )
