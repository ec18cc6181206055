"""Cut the reference along time: into blocks of every length, and into the training and the calibration split.

`variance_inflation` sums over the blocks. The split must not depend on values, or the bounds would not hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Floats, Ints
from ..splitmix import splitmix64

DAY_SECONDS = 86_400
FEWEST_BLOCKS = 8
ROWS_A_BLOCK = 4  # lengths with fewer rows per block on average carry little information and cost most


@dataclass(frozen=True)
class BlockPartition:
    """All rows cut into blocks of one length.

    Attributes:
        length: in ticks.
        starts: [blocks + 1] row numbers, in time order.
    """

    length: int
    starts: Ints

    @property
    def count(self) -> int:
        return len(self.starts) - 1


def block_partitions(ticks: Ints, tick_seconds: float | None) -> list[BlockPartition]:
    """Return partitions of every length from one tick to an eighth of the span, shortest first.

    Lengths are powers of two, the longest length and half of it, a day and a week. Lengths with too few rows per block
    are left out.

    Args:
        ticks: [rows] ascending tick numbers.
        tick_seconds: width of a tick; None if ticks are not times.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.reference.blocks import block_partitions
        >>> [(one.length, one.count) for one in block_partitions(np.arange(1024) // 8, None)]
        [(1, 128), (2, 64), (4, 32), (8, 16), (16, 8)]
    """
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


def _blocks(ticks: Ints, length: int) -> BlockPartition:
    block = (ticks - ticks[0]) // length
    inner = np.flatnonzero(np.diff(block)) + 1
    return BlockPartition(length, np.concatenate([[0], inner, [len(ticks)]]).astype(np.int64))


def size_biased_rows_per_tick(ticks: Ints) -> float:
    """Return the rows in the tick of an average row, which is larger than the average tick. Block sums depend on it."""
    counts = np.diff(_blocks(ticks, 1).starts).astype(np.float64)
    return float(counts @ counts / counts.sum())


def training_mask(times: Floats | None, rows: int) -> tuple[Bools, bool]:
    """Return a mask [rows] that is true for the training split, 3 rows in 10, and whether whole days were assigned.

    Of every ten days, a hash of their numbers chooses three. A fixed pattern would put a job that runs every 5 or 10
    days into one split only.
    """
    if times is not None:
        days = np.unique(np.floor(times / DAY_SECONDS), return_inverse=True)[1]
        if days.max() >= 9:
            return _three_in_ten(int(days.max()) + 1)[days], True
    return _three_in_ten(rows), False


def _three_in_ten(count: int) -> Bools:
    """Return a mask [count] that is true for three of every ten numbers."""
    tens = np.arange(-(-count // 10) * 10, dtype=np.uint64).reshape(-1, 10)
    ranks = np.argsort(np.argsort(splitmix64(tens), axis=1), axis=1)
    return (ranks < 3).ravel()[:count]
