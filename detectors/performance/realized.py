"""The loss of the rows whose labels came, as a figure for people; alarms come from the feature "loss"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Ints
from ..binning.losses import LossBins
from ..binning.probabilities import Bins
from ..losses.task import LOSS
from ..profile.profile import Profile
from ..summaries.counts import Counts

Z_95 = 1.96  # normal quantile of the intervals: 95 %


@dataclass(frozen=True)
class RealizedLoss:
    """The mean loss of labelled rows.

    Attributes:
        value, low, high: the mean and its 95 % interval, in [0, 1].
        rows: labelled rows that have a loss.
        without: labelled rows that have none: no prediction, or a label that says nothing.
        reference: the mean loss of the reference's labelled rows.
        reference_rows: how many those are.
    """

    value: float
    low: float
    high: float
    rows: int
    without: int
    reference: float
    reference_rows: int


def realized(profile: Profile, counts: Counts) -> RealizedLoss | None:
    """The loss of the labelled rows in `counts`; None where the profile knows no labels, or none came."""
    if profile.performance is None or LOSS not in profile.index:
        return None
    feature = profile.feature(LOSS)
    mine = counts.of(profile, LOSS)
    rows, value, variance = loss_moments(feature.bins, mine)
    if rows == 0:
        return None
    design_effect = feature.design_effect
    low, high = interval(value, variance * design_effect / rows, rows / design_effect)
    reference_rows, reference, _ = loss_moments(feature.bins, feature.reference_counts)
    return RealizedLoss(value, low, high, rows, int(mine.sum()) - rows, reference, reference_rows)


def interval(value: float, variance: float, rows: float) -> tuple[float, float]:
    """95 % around a mean in [0, 1] of `rows` independent rows; never narrower than one more row would allow."""
    half = Z_95 * float(np.sqrt(variance)) + 1 / (rows + 1)
    return max(0.0, value - half), min(1.0, value + half)


def loss_moments(bins: Bins, counts: Ints) -> tuple[int, float, float]:
    """Rows with a loss, its mean and its variance over them; no rows where the cells are none of a loss."""
    if not isinstance(bins, LossBins):
        return 0, 0.0, 0.0
    rows, losses = bins.rows_and_losses(counts)
    total = int(rows.sum())
    mean = float(rows @ losses) / max(total, 1)
    return total, mean, float(rows @ (losses - mean) ** 2) / max(total, 1)
