"""The population stability index: sum (q - p) log(q / p).

One of `COMPARISONS`, and the measure of `trends`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import FEW_ROWS, Divergence, Score, effective_rows, shares, variance_of


def psi(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """Return the PSI in nats, the sum of both Kullback-Leibler divergences. Customary marks are .1 and .25.

    A bin that only one sample has rows in counts as half a row of the other, or as the same share if that is smaller.
    The arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.psi import psi
        >>> score = psi(np.array([5000, 5000]), np.array([4000, 6000]), np.zeros(2))
        >>> round(score.value, 4), score.low > 0
        (0.0405, True)
    """
    return _divergence(reference, current, design_effect).score()


def psi_rowwise(reference: Ints, current: Ints, design_effect: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Return `psi` and the ends of its interval for each pair of rows [n, bins], n >= 1: three arrays [n].

    The values are NaN where `current` has no rows.
    """
    value, low, high = (
        np.where(current.any(-1), part, np.nan) for part in _divergence(reference, current, design_effect).scores()
    )
    return value, low, high


def filled_shares(reference: Ints, current: Ints) -> tuple[Floats, Floats]:
    """Return the shares of both samples [..., bins], each with at least half a row where the other has rows."""
    p, q = shares(reference), shares(current)
    least_p, least_q = (0.5 / np.maximum(counts.sum(-1, keepdims=True), 1) for counts in (reference, current))
    return np.where(p > 0, p, np.minimum(q, least_p)), np.where(q > 0, q, np.minimum(p, least_q))


def _divergence(reference: Ints, current: Ints, design_effect: float) -> Divergence:
    m, n = (effective_rows(counts, design_effect) for counts in (reference, current))
    p, q = filled_shares(reference, current)
    used = p > 0
    ratio = np.where(used, q, 1.0) / np.where(used, p, 1.0)
    log = np.log(ratio)
    terms = used * ((1 + 1 / ratio) / np.expand_dims(n, -1) + (1 + ratio) / np.expand_dims(m, -1)) / 2
    return Divergence(
        value=((q - p) * log).sum(-1),
        noise=terms.sum(-1) - 1 / n - 1 / m,
        least_noise=((terms * (current >= FEW_ROWS)).sum(-1) - 1 / n - 1 / m) / design_effect,
        variance=variance_of(1 - ratio - log, p) / m + variance_of(1 - 1 / ratio + log, q) / n,
        freedom=np.maximum(used.sum(-1) - 1.0, 1.0),
    )
