"""Builds a profile from a file of reference rows and the roles of its columns.

`detectors.reference` does the statistics. This module reads the file, assigns the roles, and explains in the user's
terms (options, columns) what was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ...detectors.batch import ColumnData, ColumnType, Floats, Side, as_column
from ...detectors.binning.categories import CategoryBins
from ...detectors.binning.numeric import NumericBins
from ...detectors.cells import missing_words, with_missing_words
from ...detectors.errors import DetectorError
from ...detectors.losses.task import Task
from ...detectors.performance.roles import LabelOptions
from ...detectors.profile.profile import Profile
from ...detectors.profile.provenance import ExcludedColumn
from ...detectors.reference.build import FALSE_ALARM_TICKS, TOLERANCE, build_profile
from ...detectors.reference.held_out import with_held_out
from ...detectors.reference.layout import time_order
from ...detectors.timezones import UTC, time_zone
from ..errors import UsageError, number, quote_value
from .arguments import OPTIONS, Argument, ArgumentNames
from .cells import has_decimal_commas, masked_words, odd_cells, text_among_numbers, with_numbers
from .csvtable import CsvOptions
from .dressed import are_truths
from .errors import ReferenceDataError
from .odd_rows import odd_row_notes
from .positions import index_columns, positions_of
from .reading import header_of, read_rows
from .sources import opened_sources, shown_names
from .table import Progress, ReferenceTable
from .time_column import are_times, epoch_seconds, require_since_1970

MAX_WORDS = 5  # words that one note names
NUMERIC_KINDS = {"integer", "numeric"}
FEWEST_ROWS = 2
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
    paths: Path | Sequence[Path],
    roles: ColumnRoles,
    timing: RowTiming,
    identity: ProfileIdentity,
    *,
    na: Iterable[str] = (),
    kept_words: Iterable[str] = (),
    delimiter: str | None = None,
    comment: str | None = None,
    progress: Progress,
) -> BuildResult:
    """Build the profile of the rows in the files; raise ReferenceDataError."""
    words = missing_words(na, kept_words)
    table = read_table(paths, roles, CsvOptions(words, delimiter=delimiter, comment=comment), progress)
    return build_from_table(table, shown_names(paths), roles, timing, identity, words=words, progress=progress)


def build_from_table(
    table: ReferenceTable,
    where: str,
    roles: ColumnRoles,
    timing: RowTiming,
    identity: ProfileIdentity,
    *,
    words: frozenset[str],
    progress: Progress,
) -> BuildResult:
    """Build the profile of the rows in `table`, which `where` names in errors; raise ReferenceDataError.

    The texts in `words` mean missing.
    """
    if table.rows < FEWEST_ROWS:
        what = f"has only {number(table.rows, 'row')}, which is too few for a reference"
        raise ReferenceDataError(f"{where}: {what}; give some hundred rows at least")
    times, notes = row_times(table, roles.time, roles.arguments)
    indexes = index_columns(table, _given(roles))
    columns = {name: column for name, column in table.columns.items() if name != roles.time and name not in indexes}
    columns |= {name: with_numbers(columns[name]) for name, kind in roles.kinds.items() if kind in NUMERIC_KINDS}
    for name, kind in roles.kinds.items():
        if kind == "timestamp" and name in columns:
            require_since_1970(name, columns[name])
    sides = _sides(table, roles)
    positions = positions_of(
        table,
        {*roles.excluded, *indexes, *([roles.time] if roles.time else [])},
        {*roles.predictions, *([roles.score] if roles.score else [])},
        roles.labels,
    )

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
            missing_words=words,
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
    profile = positions.apply(profile, indexes)
    notes = [*table.notes, *notes, *positions.notes(), *_odd_cells(table, roles, profile)]
    notes += [*odd_row_notes(profile, columns), *_category_notes(table, roles, profile)]
    notes += [*_word_notes(columns, roles.arguments, profile, words), *_task_notes(roles, profile)]
    return BuildResult(profile, _left_out(table, roles, profile), notes)


def _odd_cells(table: ReferenceTable, roles: ColumnRoles, profile: Profile) -> list[str]:
    """Return a note for each numeric column in which some cells are no numbers."""
    found = (
        odd_cells(feature.name, table.columns[feature.name], roles.arguments)
        for feature in profile.features
        if isinstance(feature.bins, NumericBins) and feature.name in table.columns
    )
    return [note for note in found if note]


def _given(roles: ColumnRoles) -> set[str]:
    """Return the columns whose role or type a person has given."""
    roled = (roles.time, roles.score, *roles.predictions, *roles.labels, *roles.kinds, *roles.kept)
    return {name for name in roled if name is not None}


def _word_notes(
    columns: Mapping[str, ColumnData], arguments: ArgumentNames, profile: Profile, words: frozenset[str]
) -> list[str]:
    """Return a note on the words that count as missing in columns of categories, where they may be categories."""
    found = []
    for feature in profile.features:
        if isinstance(feature.bins, CategoryBins) and feature.name in columns:
            column = with_missing_words(as_column(columns[feature.name]), words)
            rows = masked_words(column)
            found += [
                f"{quote_value(word)} in {number(n, 'cell')} of {feature.name}" for word, n in rows.most_common(2)
            ]
    more = f" and {len(found) - MAX_WORDS:,} more" if len(found) > MAX_WORDS else ""
    listed = (
        f"missing: {', '.join(found[:MAX_WORDS])}{more}; if a word is a category, keep it with {arguments.kept_words()}"
    )
    return [listed] if found else []


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


def _category_notes(table: ReferenceTable, roles: ColumnRoles, profile: Profile) -> list[str]:
    """Return notes on categories that may be something else: text among numbers, dressed numbers, booleans."""
    categorical = [
        feature
        for feature in profile.features
        if feature.kind == "categorical" and feature.name in table.columns and feature.name not in roles.kinds
    ]
    truths = [
        f"column {feature.name}: {quote_value(list(feature.bins.names))} are categories; "
        "if requests hold true and false, write these words"
        for feature in categorical
        if isinstance(feature.bins, CategoryBins) and are_truths(feature.bins.names)
    ]
    return truths + [
        f"column {feature.name}: watched as categories because of {what}"
        for feature in categorical
        if not has_decimal_commas(table.columns[feature.name])  # which is noted already
        if (what := text_among_numbers(feature.name, table.columns[feature.name], roles.arguments))
    ]


def _task_notes(roles: ColumnRoles, profile: Profile) -> list[str]:
    spec = profile.performance
    if spec is None or roles.task is not None:
        return []
    how = f"inferred from {spec.prediction} and {spec.label}; change it with {roles.arguments.name('task')}"
    return [f"task: {spec.task}, {how}"]


def read_table(
    paths: Path | Sequence[Path], roles: ColumnRoles, options: CsvOptions, progress: Progress
) -> ReferenceTable:
    """Return the columns of CSV or Parquet files, without the excluded ones; raise ReferenceDataError."""
    with opened_sources([paths] if isinstance(paths, Path) else paths) as sources:
        header = header_of(sources, options)
        require_roles(str(sources[0]), header, roles)
        kinds = roles.kinds.items()
        names, texts, lists = (
            given | {name for name, type_ in kinds if type_ == wanted}
            for given, wanted in ((options.names, "categorical"), (options.texts, "text"), (options.lists, "array"))
        )
        whole = replace(options, names=names, texts=texts, lists=lists, skipped=frozenset(roles.excluded))
        table = read_rows(sources, whole, progress)
        table.header = tuple(header)
        return table


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
    return _sorted_by_time(table, times), notes


def _sorted_by_time(table: ReferenceTable, times: Floats) -> Floats:
    """Sort the rows by time, a column at a time, so that later steps need no copy of all columns; return the times."""
    order = time_order(times)
    if order is None:
        return times
    for name, column in table.columns.items():
        table.columns[name] = column.take(order)
    return times[order]


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
