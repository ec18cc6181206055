"""Serial correlation: how much more sums over blocks of time vary than sums over independent rows would.

Evidence is divided by this inflation v. Dividing keeps the expectation of exp(L / v) at most one to second order for
every block length that was measured, so lengths reach from one tick to an eighth of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotfish.detectors.bank import Bank
from pilotfish.detectors.batch import Bools, Floats, Ints

DAY_SECONDS = 86_400
FEWEST_BLOCKS = 8
ROWS_A_BLOCK = 4  # lengths with fewer rows a block on average say little and cost most
SIGNIFICANT = 3.0  # normal score above which block sums are not those of independent rows
SEASON_GROWTH = 1.4
CHUNK_CELLS = 2_000_000


@dataclass(frozen=True)
class Blocks:
    """One length: `starts` [blocks + 1] are row numbers; the rows are in time order."""

    length: int
    starts: Ints

    @property
    def count(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class Inflation:
    """v [functions], and whether it still grows at the longest length that the reference can show."""

    values: Floats
    season_not_covered: bool


def blocks_of(ticks: Ints, tick_seconds: float | None) -> list[Blocks]:
    """Every length in ticks from one to an eighth of the span, a day and a week among them, shortest first."""
    if len(ticks) < 2 * FEWEST_BLOCKS:
        return []
    span = int(ticks[-1] - ticks[0]) + 1
    longest = span // FEWEST_BLOCKS
    lengths = {2**power for power in range(longest.bit_length()) if 2**power <= longest} | {longest, longest // 2}
    if tick_seconds is not None:
        lengths |= {round(days * DAY_SECONDS / tick_seconds) for days in (1, 7)}
    found = [_blocks(ticks, length) for length in sorted(lengths) if 1 <= length <= longest]
    dense = [blocks for blocks in found if len(ticks) >= ROWS_A_BLOCK * blocks.count]
    return [blocks for blocks in dense or found[-1:] if blocks.count >= FEWEST_BLOCKS // 2]


def _blocks(ticks: Ints, length: int) -> Blocks:
    block = (ticks - ticks[0]) // length
    inner = np.flatnonzero(np.diff(block)) + 1
    return Blocks(length, np.concatenate([[0], inner, [len(ticks)]]).astype(np.int64))


def rows_of_ticks(ticks: Ints) -> float:
    """Rows in the tick of an average row (larger than the average tick), which is what block sums are made of."""
    counts = np.diff(_blocks(ticks, 1).starts).astype(np.float64)
    return float(counts @ counts / counts.sum())


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


def _season(ratios: Floats, scores: Floats, lengths: Sequence[Blocks]) -> bool:
    """Whether v still grows where the reference ends: a slower cycle than it can show."""
    halves = [row for row, blocks in enumerate(lengths) if blocks.length <= lengths[-1].length / 2 + 1]
    if not halves:
        return False
    worst = int(np.argmax(ratios[-1]))
    grows = ratios[-1, worst] > SEASON_GROWTH * ratios[halves[-1], worst]
    return bool(grows and scores[-1, worst] > SIGNIFICANT)


def split_rows(times: Floats | None, rows: int) -> tuple[Bools, bool]:
    """True [rows] for the 3 in 10 that shape the alternatives, and whether whole days were dealt out."""
    if times is not None:
        days = np.unique(np.floor(times / DAY_SECONDS), return_inverse=True)[1]
        if days.max() >= 9:
            return np.isin(days % 10, [1, 4, 8]), True
    tens = np.arange(-(-rows // 10) * 10, dtype=np.uint64).reshape(-1, 10)
    ranks = np.argsort(np.argsort(_mixed(tens), axis=1), axis=1)
    return (ranks < 3).ravel()[:rows], False


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers without any order (the finaliser of SplitMix64), so that no period in the rows meets one of the split."""
    z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
