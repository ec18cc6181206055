"""From a column of the reference to a feature: its cells, its functions, how its sums vary; or why it is left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Column, Floats, Ints, Kind
from ..binning.categories import CategoryBins
from ..binning.losses import LossBins
from ..binning.numeric import COARSE, QUANTILES, NumericBins, numbers
from ..binning.probabilities import Bins
from ..columns.inference import is_clock, names_periods, names_rows, names_times, numbers_rows, texts_of
from ..evalues.bank import Bank, build_bank
from ..losses.task import LOSS
from ..profile.provenance import Excluded, Reference
from ..profile.slots import SLOTS, Slots
from .blocks import Blocks
from .variance_inflation import Inflation, inflation

HALVED = 0.5  # of the inflation, from which on the hours of the day are told apart


@dataclass(frozen=True)
class Rows:
    """The reference in time order: the permutation (None if it was), its ticks, and which rows shape alternatives.

    `slots` [rows] is the hour of the day of each, None if the reference cannot tell hours apart.
    """

    order: Ints | None
    ticks: Ints
    lengths: list[Blocks]
    shaping: Bools
    reference: Reference
    slots: Ints | None

    def only(self, kept: Bools) -> Rows:
        """Some of the rows [rows], in the blocks of time that they were in."""
        before = np.concatenate([[0], np.cumsum(kept)])
        lengths = [Blocks(blocks.length, before[blocks.starts]) for blocks in self.lengths]
        slots = None if self.slots is None else self.slots[kept]
        return Rows(self.order, self.ticks[kept], lengths, self.shaping[kept], self.reference, slots)


@dataclass(frozen=True)
class Draft:
    """A feature before the bounds that depend on how many features there are.

    `slots` is what it looks like hour by hour, where that at least halves how much its sums vary.
    """

    name: str
    kind: Kind
    bins: Bins
    bank: Bank
    shaping: Ints
    bounding: Ints
    inflation: Floats
    season_not_covered: bool
    sorted_in_no_order: bool
    slots: Slots | None


def draft(
    name: str, column: Column, kind: Kind, rows: Rows, tolerance: float, *, watch_anyway: bool, coarse: bool = False
) -> Draft | Excluded:
    """The feature that a column [rows], in time order, makes; or why it is not watched, unless it is to be anyway.

    `coarse` is for numbers that need few cells.
    """
    named = kind in {"boolean", "categorical"} or (kind == "constant" and not len(_finite(column)))
    bins = _category_bins(column, rows) if named else _numeric_bins(column, rows, COARSE if coarse else QUANTILES)
    if bins is None:
        return Excluded(name, "holds no value")
    reason = _alarms_for_ever(column, named, rows)
    if reason and not watch_anyway:
        return Excluded(name, reason)
    cells, _ = bins.cells_of(column)
    shaping = np.bincount(cells[rows.shaping], minlength=bins.size)
    bounding = np.bincount(cells[~rows.shaping], minlength=bins.size)
    bank = build_bank(bins, shaping, tolerance)
    measured = inflation(cells, bank, rows.lengths)
    slots, within_slots = _by_slot(cells, bank, bins, measured, rows, tolerance)
    is_sorted = rows.reference.order == "exchangeable" and not named and is_clock(numbers(column)[0])
    season = within_slots.season_not_covered
    return Draft(name, kind, bins, bank, shaping, bounding, measured.values, season, is_sorted, slots)


def draft_loss(losses: Column, bins: LossBins, rows: Rows) -> Draft:
    """The feature of the losses [rows] of labelled rows, each of which has one."""
    cells, _ = bins.cells_of(losses)
    shaping, bounding = (np.bincount(cells[part], minlength=bins.size) for part in (rows.shaping, ~rows.shaping))
    bank = build_bank(bins, shaping, 0.0)
    measured = inflation(cells, bank, rows.lengths)
    season = measured.season_not_covered
    return Draft(LOSS, "numeric", bins, bank, shaping, bounding, measured.values, season, False, None)


def _by_slot(
    cells: Ints, bank: Bank, bins: Bins, measured: Inflation, rows: Rows, tolerance: float
) -> tuple[Slots | None, Inflation]:
    """The feature hour by hour and its inflation then, if that is at most half of what was `measured`."""
    common = np.isin(bank.groups, ["location", "category"])
    if rows.slots is None or not common.any() or np.median(measured.values[common]) < 1 / HALVED:
        return None, measured
    key = (rows.slots * 2 + ~rows.shaping) * bins.size + cells
    counts = np.bincount(key, minlength=SLOTS * 2 * bins.size).reshape(SLOTS, 2, bins.size)
    shaping = counts[:, 0].sum(axis=0)
    banks = [build_bank(bins, shaping, tolerance, slot) for slot in counts[:, 0]]
    found = inflation(cells, bank, rows.lengths, rows.slots, banks)
    if np.median(found.values[common]) > HALVED * np.median(measured.values[common]):
        return None, measured
    alone = inflation(cells, bank, rows.lengths, rows.slots, banks, apart=True)
    return Slots(counts[:, 0], counts[:, 1], found.values, alone.values), found


def _finite(column: Column) -> Floats:
    values, _ = numbers(column)
    return values[np.isfinite(values)]


def _numeric_bins(column: Column, rows: Rows, quantiles: Floats) -> NumericBins | None:
    """From the shaping part, or from all rows if that part holds no number."""
    values = _finite(column.take(rows.shaping))
    values = values if len(values) else _finite(column)
    return NumericBins.from_values(values, quantiles) if len(values) else None


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
