"""Whether scores are probabilities: frequency against mean score, cell by cell."""

from __future__ import annotations

import numpy as np

from ..batch import Bools, Floats, Ints
from ..profile.performance import ScoreCalibration

MATTERS = 0.02  # mean distance below which scores pass for calibrated, however sure that it is not chance
SIGNIFICANT = 3.0  # normal score


def score_calibration(of: str, scores: Floats, happened: Bools, bin_ids: Ints) -> ScoreCalibration:
    """Whether what a score stands for happened as often as it says.

    Method: expected calibration error over the score's cells (Naeini, Cooper, Hauskrecht: AAAI 2015), and the
    chi-square of Hosmer and Lemeshow (1980) as the test of whether it is more than chance.

    Args:
        of: what it is said to be the probability of.
        scores: [rows] in [0, 1].
        happened: [rows].
        cells: [rows] of the score.
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
    """A chi-square as a normal score: Wilson and Hilferty's cube root."""
    step = 2 / (9 * max(degrees, 1))
    return float((np.cbrt(chi_square / max(degrees, 1)) - (1 - step)) / np.sqrt(step))
