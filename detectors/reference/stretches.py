"""The least divisor that makes the strongest stretches of the reference ordinary.

Variance inflation keeps the exponential of the evidence fair to second order. Rare, recurring trouble (an outage, a
batch job, a holiday) breaks that: its sums are mostly small and sometimes huge. So the divisor must also be large
enough for the trouble that the reference itself contains.

Evidence against the mean of the reference is summed along time. Each stretch from a minimum of the sum to the peak that
follows is an excursion of a CUSUM. Without drift, a CUSUM of evidence with an information of I per period exceeds x
once in about (exp(x) - x - 1) / I periods (Siegmund, Sequential Analysis, 1985, section II.6), and takes x / I periods
to get there. So stretches of at least x fill a share of about x exp(-x) of the time. Let p_k be the share of the
reference that the k strongest stretches fill, and x_k the evidence of the weakest of them. The divisor is the largest
x_k / y_k, where y_k - log(1 + y_k) = log(1 / p_k) + `LOG_SLACK`. Divided by it, no number of stretches fills more time
than in the reference of an undisturbed process, with a factor of exp(`LOG_SLACK`) for chance.

Dividing the evidence keeps the stretches as they are, so one pass finds the divisor. An event that happens once in the
reference of length T may then give about log(T / D) of evidence, where D is its duration. This is less than an alarm
needs as long as the reference is not much longer than the time between allowed false alarms. Trouble that is rarer than
the reference is long remains unknown.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats

LOG_SLACK = 2.0  # log of the factor by which chance may lengthen strong stretches
FIXED_POINT_STEPS = 20


def stretch_divisor(evidence: Floats) -> Floats:
    """Return the least divisor [alternatives], at least 1, for the evidence [periods, alternatives] along time.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.reference.stretches import stretch_divisor
        >>> quiet = np.full(999, -0.1)
        >>> stretch_divisor(np.array([np.append(quiet, 5.0), np.append(quiet, 89.1)]).T).round(1).tolist()
        [1.0, 7.8]
    """
    along = np.concatenate([np.zeros((1, evidence.shape[1])), np.cumsum(evidence, axis=0)])
    along -= np.minimum.accumulate(along, axis=0)
    divisors = np.ones(evidence.shape[1])
    for alternative in np.flatnonzero(along.max(axis=0) > LOG_SLACK):
        divisors[alternative] = max(1.0, _divisor(along[:, alternative]))
    return divisors


def _divisor(cusum: Floats) -> float:
    """Return the divisor that one CUSUM [1 + periods] needs."""
    zeros = np.flatnonzero(cusum == 0)
    peaks = np.maximum.reduceat(cusum, zeros)
    at_peak = np.flatnonzero(cusum == np.repeat(peaks, np.diff([*zeros, len(cusum)])))
    lengths = at_peak[np.searchsorted(at_peak, zeros)] - zeros
    strong = peaks > LOG_SLACK
    order = np.argsort(-peaks[strong], kind="stable")
    shares = np.cumsum(lengths[strong][order]) / len(cusum)
    return float((peaks[strong][order] / _usual_peaks(LOG_SLACK - np.log(shares))).max(initial=0.0))


def _usual_peaks(rarity: Floats) -> Floats:
    """Return y with y - log(1 + y) = `rarity`, the log of one over a share of the time."""
    peaks = rarity
    for _ in range(FIXED_POINT_STEPS):
        peaks = rarity + np.log1p(peaks)
    return peaks
