"""Prepares stored rows for a replay: the profile's columns in time order, and the rows of each tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...detectors.batch import SIDES, Column, Floats, Side
from ...detectors.binning.numeric import NumericBins
from ...detectors.detection.replay import TickSpan, tick_spans_by_rows, tick_spans_by_time
from ...detectors.errors import DetectorError
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ..errors import UsageError, quote_value
from ..settings.units import read_duration
from .arguments import OPTIONS, ArgumentNames
from .build import row_times
from .cells import with_numbers
from .errors import ReferenceDataError
from .table import ReferenceTable

BUDGET = "1/30d"  # false alarms of a period


@dataclass(frozen=True, slots=True)
class ReplayTicks:
    """How rows become ticks: by the column `time`, or `rows_per_tick` in order (None: as in the profile)."""

    settings: DriftSettings
    time: str | None = None
    rows_per_tick: float | None = None
    arguments: ArgumentNames = OPTIONS


@dataclass(frozen=True, slots=True)
class ReplayRows:
    """The rows of a replay.

    Attributes:
        profile: the profile to compare with; without slots if ticks are not times.
        columns: the columns of the profile, [rows] each, in time order.
        times: epoch seconds [rows]; None without a time column.
        spans: the rows of each tick.
        rows: the number of rows.
        rows_per_tick: None if the times determine the ticks.
        notes: how the times were read.
    """

    profile: Profile
    columns: Mapping[str, Column]
    times: Floats | None
    spans: list[TickSpan]
    rows: int
    rows_per_tick: float | None
    notes: list[str]

    @property
    def absent(self) -> list[str]:
        """The columns of the profile that the rows lack, labels aside."""
        served: tuple[Side, ...] = ("input", "prediction")
        return [name for side in served for name in self.profile.names(side) if name not in self.columns]


def replay_rows(table: ReferenceTable, where: str, profile: Profile, ticks: ReplayTicks) -> ReplayRows:
    """Return the rows of `table`, which `where` names in errors; raise ReferenceDataError or UsageError."""
    times, notes = row_times(table, ticks.time, ticks.arguments)
    columns = columns_of(profile, table)
    if not columns or not table.rows:
        wanted = sorted({name for side in SIDES for name in profile.names(side)})
        raise ReferenceDataError(
            f"{where}: has none of the profile's columns {quote_value(wanted, 300)}; "
            f"check {ticks.arguments.name('profile')}"
            if not columns
            else f"{where}: has no rows to replay; give another file"
        )
    if times is not None:
        if ticks.rows_per_tick is not None:
            both = f"{ticks.arguments.name('time')} and {ticks.arguments.name('rows_per_tick')}"
            raise UsageError(f"{both} contradict each other: the times determine the ticks; give one")
        spans = tick_spans_by_time(times, ticks.settings.tick_seconds)
        return ReplayRows(profile, columns, times, spans, table.rows, None, notes)
    rows_per_tick = _rows_per_tick(profile, ticks.rows_per_tick)
    if rows_per_tick < 1:
        which = ticks.arguments.given("rows_per_tick", f"{rows_per_tick:g}")
        raise UsageError(f"{which}: a tick needs a row; give 1 or more")
    spans = tick_spans_by_rows(table.rows, rows_per_tick)
    return ReplayRows(profile.without_slots(), columns, None, spans, table.rows, rows_per_tick, notes)


def _rows_per_tick(profile: Profile, given: float | None) -> float:
    """Return the rows per tick that the user gives, else those of the build, else those of the reference's ticks."""
    reference = profile.reference
    if given is not None:
        return given
    return reference.live_rows_per_tick or reference.rows_per_tick or reference.rows / reference.ticks


def columns_of(profile: Profile, table: ReferenceTable) -> dict[str, Column]:
    """Return the columns of a table that the profile uses. Text in a file has no type, so text numbers are numbers."""
    wanted = {name for side in SIDES for name in profile.names(side)}
    columns = {name: column for name, column in table.columns.items() if name in wanted}
    numeric = {feature.name for feature in profile.features if isinstance(feature.bins, NumericBins)}
    return columns | {name: with_numbers(columns[name]) for name in numeric & columns.keys()}


def replay_settings(
    tick_seconds: float, budget: str, tolerance: float, loss_tolerance: float, arguments: ArgumentNames
) -> DriftSettings:
    """Return the settings of a replay; raise UsageError. The `budget` is "N/DURATION"."""
    count, _, period = budget.partition("/")
    seconds, false_alarms = read_duration(period), _positive(count)
    if not seconds or false_alarms is None:
        which = arguments.given("false_alarms", budget)
        raise UsageError(f"{which}: give N/DURATION, such as 1/30d")
    try:
        return DriftSettings(tick_seconds, false_alarms, seconds, tolerance, loss_tolerance=loss_tolerance)
    except DetectorError as error:
        raise UsageError(str(error)) from error


def _positive(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found < float("inf") else None
