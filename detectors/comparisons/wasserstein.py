"""The Wasserstein distance: how far rows have to move on average, in reference standard deviations.

One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import Z_95, Score, effective_rows, shares

Z_ONE_SIDED = 1.645  # 95 % quantile of the normal distribution


def wasserstein(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:
    """Return the area between the distribution functions, as `scipy.stats.wasserstein_distance` of the finite values.

    The rows of a bin count as if all had the mean of the bin. The unit is that of the positions.

    The interval follows from the triangle inequality: the statistic differs from the distance of the distributions by
    at most the sum of the distances of both samples from their own distribution. That sum is an integral of absolute
    values of a Gaussian process (del Barrio, Gine and Matran, Ann. Probab. 27, 1999). Its mean and variance follow from
    the covariances, and a gamma distribution with these moments gives its 95 % quantile. Few rows lack the tail of
    their distribution, so the quantile is the larger one of those by the current rows and by both samples together.
    Where the two samples have other means in the same bin, the rows are taken to spread as widely as these means
    differ. The arguments are those of `score.Comparison`.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.wasserstein import wasserstein
        >>> shifted = wasserstein(np.array([9000, 0, 0]), np.array([0, 9000, 0]), np.array([0.0, 2.0, 3.0]))
        >>> round(shifted.value, 1)
        2.0
    """
    both = np.atleast_2d(positions)
    finite = np.isfinite(both[0])
    reference, current, both = reference[finite], current[finite], both[:, finite]
    m, n = effective_rows(reference, design_effect), effective_rows(current, design_effect)
    p, q = shares(reference), shares(current)
    at = np.concatenate([both[0], both[-1]])
    order = np.argsort(at, kind="stable")
    widths = np.diff(at[order])
    kept = widths > 0
    widths = widths[kept]
    below_p, below_q = (np.cumsum(np.concatenate(parts)[order])[:-1][kept] for parts in ((p, 0 * q), (0 * p, q)))
    if not (reference.any() and current.any() and len(widths)):
        return Score(0.0, 0.0, 0.0)
    value = float(np.abs(below_q - below_p) @ widths)
    spread = Z_95 * float(q @ (both[-1] - both[0]) ** 2 / n) ** 0.5
    pooled = (m * below_p + n * below_q) / (m + n)
    largest = max(_largest_deviation(below_p, below, 1 / m, 1 / n, widths) for below in (below_q, pooled))
    reach = float(np.hypot(largest, spread))
    return Score(value, max(value - reach, 0.0), value + reach)


def _largest_deviation(below_p: Floats, below_q: Floats, by_p: Floats, by_q: Floats, widths: Floats) -> float:
    """Return the 95 % quantile of the integral of |B| for a Gaussian process B with the covariance of the samples.

    `below_p` and `below_q` [steps] are the distribution functions over `widths`; `by_p` and `by_q` are 1/rows.
    """
    covariance = sum(
        scale * np.minimum.outer(below, below) * (1 - np.maximum.outer(below, below))
        for below, scale in ((below_p, by_p), (below_q, by_q))
    )
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    sizes = np.outer(sd, sd)
    rho = np.clip(covariance / np.where(sizes > 0, sizes, 1.0), -1.0, 1.0)
    mean = float(np.sqrt(2 / np.pi) * sd @ widths)
    if not mean > 0:
        return 0.0
    products = 2 / np.pi * sizes * (np.sqrt(1 - rho**2) + rho * np.arcsin(rho))  # the mean of |B(x)| |B(y)|
    ninth = max(float(widths @ products @ widths) / mean**2 - 1, 0.0) / 9
    return float(mean * (1 - ninth + Z_ONE_SIDED * ninth**0.5) ** 3)
