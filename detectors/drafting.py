"""From a column of the reference to a feature: its cells, its functions, how its sums vary; or why it is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.bank import Bank, build_bank
from pilotfish.detectors.batch import Bools, Column, Floats, Ints
from pilotfish.detectors.binning.categories import CategoryBins
from pilotfish.detectors.binning.numeric import NumericBins, numbers
from pilotfish.detectors.blocks import Blocks
from pilotfish.detectors.inference import is_clock, names_periods, names_rows, names_times, numbers_rows, texts_of
from pilotfish.detectors.inflation import inflation
from pilotfish.detectors.profile import Bins, Excluded, Kind, Reference


@dataclass(frozen=True)
class Rows:
    """The reference in time order: the permutation (None if it was), its ticks, and which rows shape alternatives."""

    order: Ints | None
    ticks: Ints
    lengths: list[Blocks]
    shaping: Bools
    reference: Reference


@dataclass(frozen=True)
class Draft:
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


def draft(
    name: str, column: Column, kind: Kind, rows: Rows, tolerance: float, *, watch_anyway: bool
) -> Draft | Excluded:
    """The feature that a column [rows], in time order, makes; or why it is not watched, unless it is to be anyway."""
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
    return Draft(name, kind, bins, bank, shaping, bounding, measured.values, measured.season_not_covered, is_sorted)


def _finite(column: Column) -> Floats:
    values, _ = numbers(column)
    return values[np.isfinite(values)]


def _numeric_bins(column: Column, rows: Rows) -> NumericBins | None:
    """From the shaping part, or from all rows if that part holds no number."""
    values = _finite(column.take(rows.shaping))
    values = values if len(values) else _finite(column)
    return NumericBins.from_values(values) if len(values) else None


def _category_bins(column: Column, rows: Rows) -> CategoryBins | None:
    """From the shaping part, or from all rows if that part holds no value."""
    texts = Counter(texts_of(column.take(rows.shaping))) or Counter(texts_of(column))
    return CategoryBins.from_values(texts) if texts else None


def _alarms_for_ever(column: Column, named: bool, rows: Rows) -> str:
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
