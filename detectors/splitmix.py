"""Pseudo-random numbers that are the same in every process and version.

Rows are sampled by their number, never by their values, and every pod must choose the same rows. numpy's generators do
not promise stable streams across versions, so this module has its own hash.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def splitmix64(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each number after the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable generators, 2014).

    Consecutive numbers give results without visible order.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.splitmix import splitmix64
        >>> [hex(n)[:8] for n in splitmix64(np.arange(2, dtype=np.uint64)).tolist()]
        ['0xe220a8', '0x6e789e']
    """
    z = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
