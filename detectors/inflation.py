"""Serial correlation: how much more sums over blocks of time vary than sums over independent rows would.

Evidence is divided by this inflation v. Dividing keeps the expectation of exp(L / v) at most one to second order for
every block length that was measured, so lengths reach from one tick to an eighth of the reference.

Second order is not enough for functions that respond to the square of a wandering level: more spread, or less mass in
the middle. In n rows at a level of d standard deviations they gather n c d^2 / 2 with the curvature
c = E[(log h)(g^2 - 1)]; divided by v, its exponential has a finite expectation for a normal level only if v > c v',
where v' is the inflation of location functions. So such functions get at least `MARGIN` c v'. (Simulated with a level
that wanders for 100 ticks, and with day effects, at one false alarm in 43,200 ticks: 22 and 27 alarms without this
where 6 were allowed, none with it.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.bank import Bank
from pilotfish.detectors.batch import Bools, Floats, Ints
from pilotfish.detectors.blocks import Blocks

SIGNIFICANT = 3.0  # normal score above which block sums are not those of independent rows
MARGIN = 2.0
SEASON_GROWTH = 1.4
CHUNK_CELLS = 2_000_000


@dataclass(frozen=True)
class Inflation:
    """v [functions], and whether it still grows at the longest length that the reference can show."""

    values: Floats
    season_not_covered: bool


def inflation(cells: Ints, bank: Bank, size: int, lengths: Sequence[Blocks]) -> Inflation:
    """How much the block sums of each log h vary, over that of as many independent rows; at least 1.

    Args:
        cells: [rows] cell numbers of one feature, in time order.
        bank: the feature's functions.
        size: number of cells.
        lengths: from `blocks_of`; empty when rows have no order.
    """
    functions = len(bank.groups)
    if not lengths or len(cells) == 0:
        return Inflation(np.ones(functions), season_not_covered=False)
    counts = np.bincount(cells, minlength=size)
    log_h = np.log(bank.h)
    centred = log_h - (log_h @ counts / len(cells))[:, None]
    variance = centred**2 @ counts
    measured = [_ratio(centred, variance, _co_occurrence(cells, size, blocks)) for blocks in lengths]
    ratios = np.array(measured)
    blocks_seen = np.array([blocks.count for blocks in lengths], dtype=np.float64)
    scores = _normal_scores(ratios, blocks_seen[:, None])
    common = ~np.isin(bank.groups, ["special", "outside"])
    values = _significant(ratios, scores, blocks_seen, common)
    values = np.maximum(values, _through_level(centred, counts, bank, values))
    values[np.array(bank.groups) == "outside"] = values.max()
    never = (bank.h != bank.h[:, [_commonest(counts)]]) @ counts == 0
    values[never & (np.array(bank.groups) == "special")] = 1.0
    season = _season(ratios[:, common], scores[:, common], lengths) if common.any() else False
    return Inflation(np.ceil(values * 1000) / 1000, season)


def _commonest(counts: Ints) -> int:
    return int(np.argmax(counts))


def _co_occurrence(cells: Ints, size: int, blocks: Blocks) -> Floats:
    """[cells, cells] the sum over blocks of the outer product of the block's counts."""
    total = np.zeros((size, size))
    step = max(1, CHUNK_CELLS // size)
    for first in range(0, blocks.count, step):
        starts = blocks.starts[first : first + step + 1]
        rows = cells[starts[0] : starts[-1]]
        block = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        counts = np.bincount(block * size + rows, minlength=(len(starts) - 1) * size).astype(np.float64)
        counts = counts.reshape(-1, size)
        total += counts.T @ counts
    return total


def _ratio(centred: Floats, variance: Floats, co_occurrence: Floats) -> Floats:
    squares = ((centred @ co_occurrence) * centred).sum(axis=1)
    varies = variance > 1e-9  # a function that is the same in all rows leaves rounding errors
    return np.where(varies, squares / np.where(varies, variance, 1.0), 1.0)


def _normal_scores(ratios: Floats, blocks: Floats) -> Floats:
    """Wilson and Hilferty's cube root: a chi-square over its degrees of freedom as a normal score."""
    step = 2 / (9 * blocks)
    scores: Floats = (np.cbrt(np.maximum(ratios, 0)) - (1 - step)) / np.sqrt(step)
    return scores


def _significant(ratios: Floats, scores: Floats, blocks: Floats, common: Bools) -> Floats:
    """The largest ratio of each function, where the feature shows more than independent rows would.

    An estimate from few blocks is mostly noise, and the largest of many of them always looks large. So functions keep
    v = 1 unless some length contradicts independence: for ordinary ones anywhere in the feature, for those on rare
    cells there or by itself, and then by an upper confidence bound.
    """
    at = ratios.argmax(axis=0)
    largest = ratios.max(axis=0)
    correlated = bool((scores[:, common] > SIGNIFICANT).any())
    upper = largest * (1 + 2 * np.sqrt(2 / blocks[at]))
    alone = correlated | (scores.max(axis=0) > SIGNIFICANT)
    values = np.where(common, largest if correlated else 1.0, np.where(alone, upper, 1.0))
    return np.maximum(values, 1.0)


def _through_level(centred: Floats, counts: Ints, bank: Bank, values: Floats) -> Floats:
    """[functions] the least inflation for what a wandering level does to functions that respond to its square."""
    located = np.array(bank.groups) == "location"
    if not located.any():
        return np.ones(len(values))
    p = counts / counts.sum()
    level = centred[int(np.argmax(located))]
    level = level / np.sqrt(level**2 @ p)
    curvature = centred @ ((level**2 - 1) * p)
    least: Floats = np.clip(MARGIN * curvature, 0.0, 1.0) * values[located].max()
    return least


def _season(ratios: Floats, scores: Floats, lengths: Sequence[Blocks]) -> bool:
    """Whether v still grows where the reference ends: a slower cycle than it can show."""
    halves = [row for row, blocks in enumerate(lengths) if blocks.length <= lengths[-1].length / 2 + 1]
    if not halves:
        return False
    worst = int(np.argmax(ratios[-1]))
    grows = ratios[-1, worst] > SEASON_GROWTH * ratios[halves[-1], worst]
    return bool(grows and scores[-1, worst] > SIGNIFICANT)
