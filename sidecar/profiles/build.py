"""Builds a profile from a file of reference rows and the roles of its columns.

`detectors.reference` does the statistics. This module reads the file, assigns the roles, and explains in the user's
terms (options, columns) what was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ...detectors.batch import ColumnData, ColumnType, Floats, Side
from ...detectors.errors import DetectorError
from ...detectors.losses.task import Task
from ...detectors.performance.roles import LabelOptions
from ...detectors.profile.profile import Profile
from ...detectors.profile.provenance import ExcludedColumn
from ...detectors.reference.build import FALSE_ALARM_TICKS, TOLERANCE, build_profile
from ...detectors.reference.held_out import with_held_out
from ...detectors.timezones import UTC, time_zone
from ..errors import UsageError, quote_value
from ..system.files import open_file
from .arguments import OPTIONS, Argument, ArgumentNames
from .cells import NA, text_among_numbers
from .csvtable import CsvOptions, csv_header, read_csv
from .errors import ReferenceDataError
from .parquet import MAGIC, parquet_header, read_parquet
from .table import Progress, ReferenceTable
from .time_column import are_times, epoch_seconds

MAX_COMPARED = 1000  # names of columns that are compared with a misspelt one


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """The role of each column; all other columns are inputs. `arguments` names them in messages."""

    time: str | None = None
    predictions: Sequence[str] = ()
    labels: Sequence[str] = ()
    excluded: Sequence[str] = ()
    kinds: Mapping[str, ColumnType] = field(default_factory=dict)
    kept: Sequence[str] = ()
    score: str | None = None
    task: Task | None = None
    arguments: ArgumentNames = OPTIONS


@dataclass(frozen=True, slots=True)
class RowTiming:
    """The relation of rows to ticks.

    With a time column, `tick_seconds` groups the rows. Without one, `rows_per_tick` does, or the rows are
    `exchangeable`: they have no order. The hours of a daily cycle are those of `timezone`, an IANA name.
    """

    tick_seconds: float = 60.0
    rows_per_tick: float | None = None
    exchangeable: bool = False
    timezone: str = UTC


@dataclass(frozen=True, slots=True)
class ProfileIdentity:
    """The metadata of a profile."""

    model: str = ""
    version: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A profile, the columns that are not monitored with the reason, and notes for the user."""

    profile: Profile
    left_out: Mapping[str, str]
    notes: Sequence[str]


def build(
    path: Path,
    roles: ColumnRoles,
    timing: RowTiming,
    identity: ProfileIdentity,
    *,
    na: Iterable[str] = (),
    delimiter: str | None = None,
    progress: Progress,
) -> BuildResult:
    """Build the profile of the rows in `path`; raise ReferenceDataError."""
    table = read_table(path, roles, CsvOptions(NA | set(na), delimiter=delimiter), progress)
    return build_from_table(table, str(path), roles, timing, identity, progress=progress)


def build_from_table(
    table: ReferenceTable,
    where: str,
    roles: ColumnRoles,
    timing: RowTiming,
    identity: ProfileIdentity,
    *,
    progress: Progress,
) -> BuildResult:
    """Build the profile of the rows in `table`, which `where` names in errors; raise ReferenceDataError."""
    times, notes = row_times(table, roles.time, roles.arguments)
    columns = {name: column for name, column in table.columns.items() if name != roles.time}
    sides = _sides(table, roles)

    def build_from(columns: Mapping[str, ColumnData], times: Floats | None) -> Profile:
        return build_profile(
            columns,
            model=identity.model,
            version=identity.version,
            created=identity.created,
            times=times,
            sides=sides,
            kinds={name: kind for name, kind in roles.kinds.items() if name in columns},
            tick_seconds=timing.tick_seconds,
            rows_per_tick=timing.rows_per_tick,
            exchangeable=timing.exchangeable,
            timezone=timing.timezone,
            keep=roles.kept,
            labels=LabelOptions(roles.task, roles.score),
            progress=lambda done, total, what: progress(f"measuring {what}".rstrip(), done / max(1, total)),
        )

    try:
        profile = with_held_out(
            build_from,
            columns,
            times,
            tolerance=TOLERANCE,
            false_alarm_ticks=FALSE_ALARM_TICKS,
            progress=lambda done, total, _: progress("testing on the last third", done / max(1, total)),
        )
    except DetectorError as error:
        raise ReferenceDataError(f"{where}: {error}") from error
    return BuildResult(profile, _left_out(table, roles, profile), [*table.notes, *notes, *_task_notes(roles, profile)])


def _sides(table: ReferenceTable, roles: ColumnRoles) -> dict[str, Side]:
    """Return the side of each column that is not an input; raise ReferenceDataError if a label or score is unusable."""
    given: list[tuple[Argument, str]] = [("label", name) for name in roles.labels]
    for argument, name in (*given, *((("score", roles.score),) if roles.score else ())):
        if name not in table.columns:
            which = roles.arguments.given(argument, name)
            raise ReferenceDataError(f"{which}: the column {table.left_out[name]}; give another one")
    scores = [roles.score] if roles.score else []
    sides: dict[str, Side] = {name: "prediction" for name in (*roles.predictions, *scores) if name in table.columns}
    return {**sides, **dict.fromkeys(roles.labels, "label")}


def _task_notes(roles: ColumnRoles, profile: Profile) -> list[str]:
    spec = profile.performance
    if spec is None or roles.task is not None:
        return []
    how = f"inferred from {spec.prediction} and {spec.label}; change it with {roles.arguments.name('task')}"
    return [f"task: {spec.task}, {how}"]


def read_table(path: Path, roles: ColumnRoles, options: CsvOptions, progress: Progress) -> ReferenceTable:
    """Return the columns of a CSV or Parquet file, without the excluded ones; raise ReferenceDataError."""
    parquet = _starts_with(path, MAGIC)
    header = parquet_header(path) if parquet else csv_header(path, options.delimiter)
    require_roles(str(path), header, roles)
    skipped = frozenset(roles.excluded)
    names, texts, lists = (
        given | {name for name, type_ in roles.kinds.items() if type_ == wanted}
        for given, wanted in ((options.names, "categorical"), (options.texts, "text"), (options.lists, "array"))
    )
    if parquet:
        return read_parquet(path, skipped, names, progress)
    return read_csv(path, CsvOptions(options.na, names, texts, lists, skipped, options.delimiter), progress)


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with open_file(path, follow=True) as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise ReferenceDataError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def require_timing(timing: RowTiming, time: str | None, arguments: ArgumentNames) -> None:
    """Raise UsageError if the timing contradicts the time column, or its zone is unknown."""
    if time and (timing.rows_per_tick is not None or timing.exchangeable):
        other = arguments.name("exchangeable" if timing.exchangeable else "rows_per_tick")
        both = f"{arguments.name('time')} and {other}"
        raise UsageError(f"{both} contradict each other: the times determine the ticks; give one of them")
    try:
        time_zone(timing.timezone)
    except DetectorError as error:
        raise UsageError(f"{arguments.name('timezone')}: {error}") from error


def require_roles(where: str, header: Sequence[str], roles: ColumnRoles) -> None:
    """Raise ReferenceDataError if a role names a column that `header` lacks, or two roles name one column."""
    given: dict[Argument, Sequence[str]] = {
        "time": [roles.time] if roles.time else [],
        "prediction": roles.predictions,
        "score": [roles.score] if roles.score and roles.score not in roles.predictions else [],
        "label": roles.labels,
        "exclude": roles.excluded,
    }
    others: dict[Argument, Sequence[str]] = {"type": list(roles.kinds), "keep": roles.kept}
    arguments, taken = roles.arguments, dict[str, Argument]()
    for argument, names in (*given.items(), *others.items()):
        for name in names:
            if name not in header:
                near = get_close_matches(name, header[:MAX_COMPARED], 1, 0.6)
                remedy = f"did you mean {near[0]!r}?" if near else f"the columns are {quote_value(list(header), 400)}"
                which = arguments.given(argument, name)
                raise ReferenceDataError(f"{where}: {which}: there is no such column; {remedy}")
            if argument in given and taken.setdefault(name, argument) != argument:
                both = f"{arguments.name(taken[name])} and {arguments.name(argument)}"
                raise ReferenceDataError(f"{where}: column {name!r} is given by {both}; keep one")


def row_times(
    table: ReferenceTable, name: str | None, arguments: ArgumentNames = OPTIONS
) -> tuple[Floats | None, list[str]]:
    """Return the times (epoch seconds) and notes; remove the rows without a time from the table."""
    if name is None:
        return None, []
    if name not in table.columns:
        raise ReferenceDataError(
            f"column {name!r} {table.left_out[name]}, which is not a time; give another {arguments.name('time')}"
        )
    times, how = epoch_seconds(name, table.columns[name])
    notes = [f"time: {name} ({how})"]
    with_time = ~np.isnan(times)
    without = len(times) - int(with_time.sum())
    if without:
        notes.append(f"{without:,} rows have no time and were left out")
        table.columns = {key: column.take(with_time) for key, column in table.columns.items()}
        table.rows -= without
        times = times[with_time]
    return times, notes


def _left_out(table: ReferenceTable, roles: ColumnRoles, profile: Profile) -> dict[str, str]:
    return {
        **dict.fromkeys(
            roles.labels if profile.performance is None else (),
            f"a label without a {roles.arguments.name('prediction').removesuffix('s')} to compare it with",
        ),
        **dict.fromkeys(roles.excluded, f"by {roles.arguments.name('exclude')}"),
        **table.left_out,
        **{excluded.name: _better_reason(table, roles, excluded) for excluded in profile.excluded},
    }


def _better_reason(table: ReferenceTable, roles: ColumnRoles, excluded: ExcludedColumn) -> str:
    """Return why a column is excluded; names the text in a column of numbers, if that is the cause."""
    if excluded.name in roles.kinds or excluded.name not in table.columns:  # a derived column is not in the file
        return excluded.reason
    column = table.columns[excluded.name]
    if excluded.reason.startswith("monotone") and are_times(column):
        return f"{excluded.reason}; if it is a time, give {roles.arguments.typed(excluded.name, 'timestamp')}"
    return text_among_numbers(excluded.name, column, roles.arguments) or excluded.reason
