"""Score calibration: whether scores are probabilities. Compares frequency with mean score, bin by bin.

`fit` stores the result in the profile, for people.
"""

from __future__ import annotations

import numpy as np

from ..batch import Bools, Floats, Ints
from ..profile.performance import ScoreCalibration

MATTERS = 0.02  # mean distance below which scores count as calibrated, even if it is beyond chance
SIGNIFICANT = 3.0  # normal score


def score_calibration(of: str, scores: Floats, happened: Bools, bin_ids: Ints) -> ScoreCalibration:
    """Return whether an event happened as often as the scores predict.

    Method: expected calibration error over the score's bins (Naeini, Cooper, Hauskrecht: AAAI 2015), with the
    chi-square of Hosmer and Lemeshow (1980) as the test against chance.

    Args:
        of: name of the event.
        scores: [rows] in [0, 1].
        happened: [rows] whether the event happened.
        bin_ids: [rows] bin numbers of the scores.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.performance.calibration import score_calibration
        >>> scores = np.repeat([0.2, 0.8], 500)
        >>> happened = np.arange(1000) % 10 < 10 * scores
        >>> score_calibration("the class yes", scores, happened, np.repeat([0, 1], 500)).calibrated
        True
    """
    size = int(bin_ids.max()) + 1
    rows = np.bincount(bin_ids, minlength=size)
    used = rows > 0
    expected, seen = (
        np.bincount(bin_ids, weights=x, minlength=size)[used] for x in (scores, happened.astype(np.float64))
    )
    rows = rows[used]
    error = float(np.abs(expected - seen).sum() / rows.sum())
    mean = expected / rows
    chi_square = float(((seen - expected) ** 2 / (rows * np.maximum(mean * (1 - mean), 1 / (rows + 1)))).sum())
    beyond_chance = normal_score(chi_square, len(rows)) > SIGNIFICANT
    return ScoreCalibration(of, round(error, 6), not (beyond_chance and error > MATTERS))


def normal_score(chi_square: float, degrees: int) -> float:
    """Return a chi-square as a normal score (Wilson and Hilferty's cube root)."""
    step = 2 / (9 * max(degrees, 1))
    return float((np.cbrt(chi_square / max(degrees, 1)) - (1 - step)) / np.sqrt(step))
