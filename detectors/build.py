"""From reference rows to a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.bank import Bank, build_bank
from pilotfish.detectors.batch import Bools, Column, ColumnData, Floats, Ints, Side, as_column, length
from pilotfish.detectors.binning.categories import CategoryBins
from pilotfish.detectors.binning.numeric import NumericBins, numbers
from pilotfish.detectors.blocks import Blocks, blocks_of, rows_of_ticks, split_rows
from pilotfish.detectors.bounds import log_confidence
from pilotfish.detectors.errors import ProfileError, shown
from pilotfish.detectors.inference import (
    infer_kind,
    is_clock,
    names_periods,
    names_rows,
    names_times,
    numbers_rows,
    texts_of,
)
from pilotfish.detectors.inflation import inflation
from pilotfish.detectors.profile import Bins, Excluded, Feature, Kind, Order, Profile, Reference
from pilotfish.detectors.sensitivity import INVISIBLE, sensitivity

TICKS_WANTED = 500  # of a row-ordered reference whose live traffic is unknown
LARGEST_TICK = 1000
TOLERANCE = 0.0025
FALSE_ALARM_TICKS = 43_200.0  # one in 30 days at 60 s
UNCOVERED = "season not covered"
SORTED = "grows or falls from row to row, though the rows are said to be in no order"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Rows:
    """The reference in time order: the permutation, its ticks, and which rows shape the alternatives."""

    order: Ints
    ticks: Ints
    lengths: list[Blocks]
    shaping: Bools
    reference: Reference


@dataclass(frozen=True)
class _Draft:
    """A feature before the bounds that depend on how many features there are."""

    name: str
    kind: Kind
    bins: Bins
    bank: Bank
    shaping: Ints
    bounding: Ints
    inflation: Floats
    season_not_covered: bool
    sorted_in_no_order: bool


def build_profile(
    columns: Mapping[str, ColumnData],
    *,
    model: str = "",
    version: str = "",
    created: str = "",
    times: Floats | None = None,
    sides: Mapping[str, Side] | None = None,
    kinds: Mapping[str, Kind] | None = None,
    tick_seconds: float = 60.0,
    rows_per_tick: float | None = None,
    exchangeable: bool = False,
    keep: Container[str] = (),
    tolerance: float = TOLERANCE,
    false_alarm_ticks: float = FALSE_ALARM_TICKS,
    progress: Progress | None = None,
) -> Profile:
    """The profile of reference rows.

    Args:
        columns: by name, [rows] each; without labels and without the time column.
        model, version, created: kept as given.
        times: epoch seconds [rows], in any order. Without them the order of the rows counts as time.
        sides: which columns are predictions; the others are inputs.
        kinds: overrides what is inferred.
        tick_seconds: width of a tick, with `times`.
        rows_per_tick: without `times`, how many rows a live tick will carry. If not given, live ticks may have as many
            rows as the longest block, an eighth of the reference, before their evidence is scaled down.
        exchangeable: the rows are in no order, so that no serial correlation can be measured; only for data that
            were shuffled or sampled independently, as live evidence is then not tempered at all.
        keep: columns to watch even where they would be excluded.
        tolerance, false_alarm_ticks: for the expected delays that the profile shows; nothing else.
        progress: called as (features done, features in all, name).

    Raises:
        ProfileError: no rows, columns of different lengths, unknown names, no column that can be watched.
    """
    sides, kinds = sides or {}, kinds or {}
    rows = _checked(columns, times, [*sides, *kinds])
    arranged = _arrange(rows, times, tick_seconds, rows_per_tick, exchangeable)
    drafted: list[_Draft | Excluded] = []
    for done, (name, data) in enumerate(columns.items()):
        if progress is not None:
            progress(done, len(columns), name)
        column = as_column(data).take(arranged.order)
        drafted.append(_draft(name, column, kinds.get(name), arranged, tolerance, watch_anyway=name in keep))
    drafts = [draft for draft in drafted if isinstance(draft, _Draft)]
    excluded = [draft for draft in drafted if isinstance(draft, Excluded)]
    if not drafts:
        raise ProfileError(f"no column can be watched: {shown([(e.name, e.reason) for e in excluded])}; keep some")
    lg = log_confidence(sum(len(draft.bank.groups) for draft in drafts))
    threshold = false_alarm_ticks * len(drafts)
    features = tuple(_feature(draft, sides.get(draft.name, "input"), lg, tolerance, threshold) for draft in drafts)
    if progress is not None:
        progress(len(columns), len(columns), "")
    warnings = _warnings(arranged.reference, features)
    return Profile(
        model=model,
        version=version,
        created=created,
        reference=arranged.reference,
        features=features,
        excluded=tuple(excluded),
        warnings=warnings,
        input_columns=tuple(name for name in columns if sides.get(name, "input") == "input"),
        prediction_columns=tuple(name for name in columns if sides.get(name, "input") == "prediction"),
    )


def _checked(columns: Mapping[str, ColumnData], times: Floats | None, named: list[str]) -> int:
    """The number of rows, if every column has as many."""
    sizes = {name: length(column) for name, column in columns.items()}
    if times is not None:
        sizes["(times)"] = len(times)
        if not np.all(np.isfinite(times)):
            raise ProfileError(f"{int((~np.isfinite(times)).sum())} times are missing or infinite; drop those rows")
    if not columns or min(sizes.values()) == 0:
        raise ProfileError(f"a reference needs at least one column and one row, not {shown(sizes)}")
    if len(set(sizes.values())) > 1:
        raise ProfileError(f"reference columns differ in length: {shown(sizes)}; give each one entry a row")
    unknown = sorted(set(named) - set(columns))
    if unknown:
        raise ProfileError(f"no column is named {shown(unknown)}; the columns are {shown(sorted(columns))}")
    return next(iter(sizes.values()))


def _arrange(rows: int, times: Floats | None, tick_seconds: float, per_tick: float | None, exchangeable: bool) -> _Rows:
    if not (np.isfinite(tick_seconds) and tick_seconds > 0):
        raise ProfileError(f"tick_seconds must be a positive number, not {shown(tick_seconds)}")
    if per_tick is not None and not (np.isfinite(per_tick) and per_tick >= 1):
        raise ProfileError(f"rows_per_tick must be at least 1, not {shown(per_tick)}")
    order = np.arange(rows) if times is None else np.argsort(times, kind="stable")
    by_time = None if times is None else np.asarray(times, dtype=np.float64)[order]
    if by_time is not None:
        ticks = np.floor(by_time / tick_seconds).astype(np.int64)
    else:
        width = per_tick or float(np.clip(rows // TICKS_WANTED, 1, LARGEST_TICK))
        ticks = (np.arange(rows) / width).astype(np.int64)
    kind: Order = "exchangeable" if exchangeable else "rows" if times is None else "time"
    lengths = [] if exchangeable else blocks_of(ticks, None if by_time is None else tick_seconds)
    shaping, by_days = split_rows(by_time, rows)
    dense = rows_of_ticks(ticks)
    if kind == "rows" and per_tick is None and lengths:
        dense *= lengths[-1].length  # row order is all the time there is: a live tick is a block like another
    reference = Reference(
        rows=rows,
        ticks=len(np.unique(ticks)),
        order=kind,
        split="days" if by_days else "rows",
        tick_seconds=None if by_time is None else float(tick_seconds),
        rows_per_tick=None if exchangeable else dense,
        first_time=None if by_time is None else float(by_time[0]),
        last_time=None if by_time is None else float(by_time[-1]),
        longest_block=lengths[-1].length if lengths else 0,
    )
    return _Rows(order, ticks, lengths, shaping, reference)


def _draft(
    name: str, column: Column, kind: Kind | None, rows: _Rows, tolerance: float, *, watch_anyway: bool
) -> _Draft | Excluded:
    kind = kind or infer_kind(column)
    named = kind in {"boolean", "categorical"} or (kind == "constant" and not len(_finite(column)))
    bins = _category_bins(column, rows) if named else _numeric_bins(column, rows)
    if bins is None:
        return Excluded(name, "holds no value")
    reason = _alarms_for_ever(column, named, rows)
    if reason and not watch_anyway:
        return Excluded(name, reason)
    cells, _ = bins.cells_of(column)
    shaping = np.bincount(cells[rows.shaping], minlength=bins.size)
    bounding = np.bincount(cells[~rows.shaping], minlength=bins.size)
    bank = build_bank(bins, shaping, tolerance)
    measured = inflation(cells, bank, bins.size, rows.lengths)
    is_sorted = rows.reference.order == "exchangeable" and not named and is_clock(numbers(column)[0])
    return _Draft(name, kind, bins, bank, shaping, bounding, measured.values, measured.season_not_covered, is_sorted)


def _finite(column: Column) -> Floats:
    values, _ = numbers(column)
    return values[np.isfinite(values)]


def _numeric_bins(column: Column, rows: _Rows) -> NumericBins | None:
    """From the shaping part, or from all rows if that part holds no number."""
    values = _finite(column.take(rows.shaping))
    values = values if len(values) else _finite(column)
    return NumericBins.from_values(values) if len(values) else None


def _category_bins(column: Column, rows: _Rows) -> CategoryBins | None:
    """From the shaping part, or from all rows if that part holds no value."""
    texts = Counter(texts_of(column.take(rows.shaping))) or Counter(texts_of(column))
    return CategoryBins.from_values(texts) if texts else None


def _alarms_for_ever(column: Column, named: bool, rows: _Rows) -> str:
    """Why a column would alarm at once and always, or nothing."""
    ordered = rows.reference.order != "exchangeable"
    if named:
        is_new = names_rows(texts_of(column.take(rows.shaping)), texts_of(column.take(~rows.shaping)))
        if is_new:
            return "new in every block, as identifiers are: it would alarm at once and for ever"
        texts = texts_of(column)
        if ordered and names_periods(texts):
            return "new in every third of the reference, as dates and batches are: it would alarm at once and for ever"
        return "dates or times, of which new ones keep coming" if names_times(texts) else ""
    values = numbers(column)[0]
    if ordered and is_clock(values):
        return "monotone in time: it would alarm at once and for ever"
    return "counts the rows: new numbers keep coming" if numbers_rows(values) else ""


def _feature(draft: _Draft, side: Side, lg: float, tolerance: float, threshold: float) -> Feature:
    seen = sensitivity(
        draft.bins,
        draft.bank,
        draft.shaping,
        draft.bounding,
        draft.inflation,
        lg=lg,
        tolerance=tolerance,
        threshold=threshold,
    )
    warnings = []
    if seen.delay_rows is None:
        warnings.append(f"{INVISIBLE}: too few independent reference rows; give a longer reference")
    if draft.season_not_covered:
        warnings.append(f"{UNCOVERED}: it still varies at the longest block; give a longer reference")
    if draft.sorted_in_no_order:
        warnings.append(f"{SORTED}: exclude it if it goes on so, as row numbers do")
    return Feature(
        name=draft.name,
        side=side,
        kind=draft.kind,
        bins=draft.bins,
        shaping=draft.shaping,
        bounding=draft.bounding,
        inflation=draft.inflation,
        n_eff=seen.n_eff,
        smallest_shift=seen.smallest_shift,
        delay_rows=seen.delay_rows,
        warnings=tuple(warnings),
    )


def _warnings(reference: Reference, features: tuple[Feature, ...]) -> tuple[str, ...]:
    out = []
    if reference.split == "rows":
        out.append("fewer than 10 days: the reference was split by rows, not by days; slow changes look like noise")
    for text in (INVISIBLE, UNCOVERED, SORTED):
        names = [feature.name for feature in features if any(w.startswith(text) for w in feature.warnings)]
        if names:
            out.append(f"{text}: {', '.join(names)}")
    return tuple(out)
