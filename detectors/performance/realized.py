"""Realized loss: the mean loss of the rows whose labels have arrived.

It is a figure for people. Alarms come from the feature "loss".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Ints
from ..binning.losses import LossBins
from ..binning.probabilities import Bins
from ..losses.task import LOSS
from ..profile.profile import Profile
from ..summaries.counts import Counts

Z_95 = 1.96  # normal quantile of a 95 % interval


@dataclass(frozen=True)
class RealizedLoss:
    """The mean loss of labelled rows.

    Attributes:
        value, low, high: the mean in [0, 1] and its 95 % interval.
        rows: labelled rows that have a loss.
        without: labelled rows without a loss: no prediction, or an unusable label.
        reference: mean loss of the labelled reference rows.
        reference_rows: number of those rows.
    """

    value: float
    low: float
    high: float
    rows: int
    without: int
    reference: float
    reference_rows: int


def realized(profile: Profile, counts: Counts) -> RealizedLoss | None:
    """Return the loss of the labelled rows in `counts`; None if the profile has no labels, or none arrived.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.performance.realized import realized
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> rows = {"predicted": np.full(1000, "yes"), "truth": np.where(np.arange(1000) % 10 == 0, "no", "yes")}
        >>> profile = build_profile(rows, sides={"predicted": "prediction", "truth": "label"}, exchangeable=True)
        >>> counting = TickCounts(profile)
        >>> counting.add(Batch({"predicted": ["yes"] * 4, "truth": ["yes", "no", "yes", None]}, 4, "label"))
        >>> found = realized(profile, counting.take())
        >>> round(found.value, 2), found.rows, found.without, found.reference
        (0.33, 3, 1, 0.1)
    """
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
    """Return a 95 % interval around a mean in [0, 1] of `rows` independent rows.

    It is never narrower than the change that one more row could cause.
    """
    half = Z_95 * float(np.sqrt(variance)) + 1 / (rows + 1)
    return max(0.0, value - half), min(1.0, value + half)


def loss_moments(bins: Bins, counts: Ints) -> tuple[int, float, float]:
    """Return the rows with a loss, their mean loss and its variance; no rows if the bins are not those of a loss."""
    if not isinstance(bins, LossBins):
        return 0, 0.0, 0.0
    rows, losses = bins.rows_and_losses(counts)
    total = int(rows.sum())
    mean = float(rows @ losses) / max(total, 1)
    return total, mean, float(rows @ (losses - mean) ** 2) / max(total, 1)
