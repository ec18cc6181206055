"""Serial correlation: how much more sums over blocks of time vary than sums over independent rows would.

Evidence is divided by this inflation v. Dividing keeps the expectation of exp(L / v) at most one to second order for
every block length that was measured, so lengths reach from one tick to an eighth of the reference.

Second order is not enough for functions that respond to the square of a wandering level: more spread, or less mass in
the middle. In n rows at a level of d standard deviations they gather n c d^2 / 2 with the curvature
c = E[(log h)(g^2 - 1)]; divided by v, its exponential has a finite expectation for a normal level only if v > c v',
where v' is the inflation of location functions. So such functions get at least `CURVATURE_MARGIN` c v'. (Simulated
with a level that wanders for 100 ticks, and with day effects, at one false alarm in 43,200 ticks: 22 and 27 alarms
without this where 6 were allowed, none with it.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..batch import Bools, Floats, Ints
from ..evalues.bank import LikelihoodRatioBank
from .blocks import BlockPartition

SIGNIFICANT_Z = 3.0  # normal score above which block sums are not those of independent rows
CURVATURE_MARGIN = 2.0
SEASON_GROWTH = 1.4
SEASON_RISK = 0.001  # that independent rows look like a season, for each feature
CHUNK_BINS = 2_000_000
CHUNK_SUMS = 10_000_000


@dataclass(frozen=True)
class VarianceInflation:
    """v [functions], and whether it still grows at the longest length that the reference can show."""

    values: Floats
    season_not_covered: bool


def variance_inflation(
    bin_ids: Ints,
    bank: LikelihoodRatioBank,
    partitions: Sequence[BlockPartition],
    slots: Ints | None = None,
    slot_banks: Sequence[LikelihoodRatioBank] = (),
    *,
    per_slot: bool = False,
) -> VarianceInflation:
    """How much the block sums of each log h vary, over that of as many independent rows; at least 1.

    Args:
        cells: [rows] cell numbers of one feature, in time order.
        bank: the feature's functions.
        lengths: from `blocks_of`; empty when rows have no order.
        slots: [rows] the slot of each, to measure how much the sums vary beside what their slots' means say.
        of_slot: with `slots`, the functions as they are in each.
        apart: sum the rows of each slot for themselves, as what bounds a slot's functions are its rows alone.
    """
    alternatives, size = bank.h.shape
    if not partitions or len(bin_ids) == 0:
        return VarianceInflation(np.ones(alternatives), season_not_covered=False)
    slots = np.zeros(len(bin_ids), np.int64) if slots is None else slots
    banks = slot_banks or [bank]
    counts = np.bincount(slots * size + bin_ids, minlength=len(banks) * size).reshape(len(banks), size)
    centred = np.array([_centred(one, of) for one, of in zip(banks, counts, strict=True)])
    ratios = _ratios(bin_ids, slots, centred, counts, partitions, per_slot=per_slot)
    whole = counts.sum(axis=0)
    blocks_seen = np.array([np.count_nonzero(np.diff(blocks.starts)) for blocks in partitions], dtype=np.float64)
    ratios *= (blocks_seen / np.maximum(blocks_seen - 1, 1))[:, None]  # the sample's mean takes one block
    scores = _normal_scores(ratios, blocks_seen[:, None])
    common = ~np.isin(bank.groups, ["special", "outside"])
    values = _significant(ratios, scores, blocks_seen, common)
    values = np.maximum(values, _floor_for_wandering_level(_centred(bank, whole), whole, bank, values))
    values[np.array(bank.groups) == "outside"] = values.max()
    never = (bank.h != bank.h[:, [_commonest(whole)]]) @ whole == 0
    values[never & (np.array(bank.groups) == "special")] = 1.0
    season = _season(ratios[:, common], scores[:, common], partitions)
    return VarianceInflation(np.ceil(values * 1000) / 1000, season)


def _commonest(counts: Ints) -> int:
    return int(np.argmax(counts))


def _centred(bank: LikelihoodRatioBank, counts: Ints) -> Floats:
    """[functions, cells] log h less its mean over the rows of `counts` [cells]."""
    log_h = np.log(bank.h)
    return log_h - (log_h @ counts / max(int(counts.sum()), 1))[:, None]


def _ratios(
    bin_ids: Ints, slots: Ints, centred: Floats, counts: Ints, partitions: Sequence[BlockPartition], *, per_slot: bool
) -> Floats:
    """[lengths, functions] the sum of the squares of block sums, over that of as many independent rows.

    Args:
        centred: [slots, functions, cells] what each row adds to the sums.
        counts: [slots, cells] of all rows.
    """
    pieces = _common_refinement(slots, partitions)
    groups = _groups(pieces, slots if per_slot else np.zeros_like(slots), partitions)
    variance = np.einsum("sfc,sc->f", centred**2, counts)
    varies = variance > 1e-9  # a function that is the same in all rows leaves rounding errors
    out = np.ones((len(partitions), len(variance)))
    step = max(1, CHUNK_SUMS // len(pieces))
    for first in range(0, len(variance), step):
        some = slice(first, first + step)
        sums = _sums(bin_ids, slots, centred[:, some], pieces)[groups[0]]
        for row, starts in enumerate(groups[1]):
            squares = (np.add.reduceat(sums, starts, axis=0) ** 2).sum(axis=0)
            out[row, some] = np.where(varies[some], squares / np.where(varies[some], variance[some], 1.0), 1.0)
    return out


def _common_refinement(slots: Ints, partitions: Sequence[BlockPartition]) -> Ints:
    """Row numbers [pieces + 1] where any block of any length begins or ends, or the slot changes."""
    changes = np.flatnonzero(np.diff(slots)) + 1
    return np.unique(np.concatenate([changes, *(blocks.starts for blocks in partitions)]))


def _groups(pieces: Ints, slots: Ints, partitions: Sequence[BlockPartition]) -> tuple[Ints, list[Ints]]:
    """The order of the pieces slot by slot, and for each length where in it the sums of blocks begin."""
    slot = slots[pieces[:-1]]
    order: Ints = np.argsort(slot, kind="stable")
    starts = []
    for blocks in partitions:
        block = np.searchsorted(blocks.starts, pieces[:-1][order], side="right")
        changes = (np.diff(block) != 0) | (np.diff(slot[order]) != 0)
        starts.append(np.concatenate([[0], np.flatnonzero(changes) + 1]))
    return order, starts


def _sums(bin_ids: Ints, slots: Ints, centred: Floats, pieces: Ints) -> Floats:
    """[pieces, functions] the sum of `centred` [slots, functions, cells] over the rows of each piece."""
    alternatives, size = centred.shape[1:]
    out = np.empty((len(pieces) - 1, alternatives))
    step = max(1, CHUNK_BINS // size)
    for first in range(0, len(out), step):
        starts = pieces[first : first + step + 1]
        piece = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        counts = np.bincount(piece * size + bin_ids[starts[0] : starts[-1]], minlength=(len(starts) - 1) * size)
        counts = counts.reshape(-1, size).astype(np.float64)
        slot = slots[starts[:-1]]
        for one in np.unique(slot):
            out[first : first + step][slot == one] = counts[slot == one] @ centred[one].T
    return out


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
    correlated = bool((scores[:, common] > SIGNIFICANT_Z).any())
    upper = largest * (1 + 2 * np.sqrt(2 / blocks[at]))
    alone = correlated | (scores.max(axis=0) > SIGNIFICANT_Z)
    values = np.where(common, largest if correlated else 1.0, np.where(alone, upper, 1.0))
    return np.maximum(values, 1.0)


def _floor_for_wandering_level(centred: Floats, counts: Ints, bank: LikelihoodRatioBank, values: Floats) -> Floats:
    """[functions] the least inflation for what a wandering level does to functions that respond to its square."""
    located = np.array(bank.groups) == "location"
    if not located.any():
        return np.ones(len(values))
    p = counts / counts.sum()
    level = centred[int(np.argmax(located))]
    level = level / np.sqrt(level**2 @ p)
    curvature = centred @ ((level**2 - 1) * p)
    least: Floats = np.clip(CURVATURE_MARGIN * curvature, 0.0, 1.0) * values[located].max()
    return least


def _season(ratios: Floats, scores: Floats, partitions: Sequence[BlockPartition]) -> bool:
    """Whether v still grows where the reference ends: a slower cycle than it can show.

    The function is the worst of all, so its score must be beyond what the largest of so many shows by chance.
    """
    halves = [row for row, blocks in enumerate(partitions) if blocks.length <= partitions[-1].length / 2 + 1]
    if not halves or not ratios.shape[1]:
        return False
    worst = int(np.argmax(ratios[-1]))
    grows = ratios[-1, worst] > SEASON_GROWTH * ratios[halves[-1], worst]
    return bool(grows and scores[-1, worst] > NormalDist().inv_cdf(1 - SEASON_RISK / ratios.shape[1]))
