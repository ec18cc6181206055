"""Estimated loss: the loss to expect of rows whose labels have not arrived.

Method: confidence-based performance estimation (called CBPE in NannyML's documentation), with the reference's own loss
in each score bin instead of a calibrated probability. So scores need not be calibrated, but rows with a certain
score must be right as often as in the reference. Concept drift breaks this assumption, and only labels can show that.
If labelled rows contradict the estimate in the score bins, the result has the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Floats, Ints
from ..losses.task import BY_SCORE, LOSS
from ..profile.performance import PerformanceSpec
from ..profile.profile import Profile
from ..summaries.counts import Counts
from .calibration import normal_score
from .realized import interval

CONTRADICTION_Z = 4.0  # normal score above which labels contradict the estimate
MATTERS = 0.01  # difference of the mean loss below which they do not; for single bins twice as much
WIDEST = 0.25  # variance of a loss without any data: the largest that is possible in [0, 1]


@dataclass(frozen=True)
class EstimatedLoss:
    """The loss to expect. It is an estimate and never raises an alarm.

    Attributes:
        value, low, high: in [0, 1], with a 95 % interval for the mean loss that the labels of these rows will show.
        rows: rows with a prediction, which the estimate is made from.
        reference: mean loss of the labelled reference rows.
        calibrated: whether the labels so far agree with the reference's losses by score.
        reason: why they disagree, or empty.
        checked: number of labelled rows behind `calibrated`; with 0 it is unknown.
    """

    value: float
    low: float
    high: float
    rows: int
    reference: float
    calibrated: bool
    reason: str
    checked: int


@dataclass(frozen=True)
class _LossByBin:
    """Labelled rows by score bin: their number [bins], the sum of their losses, and the variance within a bin."""

    rows: Ints
    sums: Floats
    variance: Floats

    @classmethod
    def of(cls, counts: Ints, size: int, levels: Floats) -> _LossByBin:
        """Return the losses by bin from the counts of "loss:by_score"."""
        by_level = counts[_INTEGER_BINS][: size * len(levels)].reshape(size, len(levels))
        rows = by_level.sum(axis=1)
        sums = by_level @ levels
        mean = sums / np.maximum(rows, 1)
        variance = (by_level * (levels - mean[:, None]) ** 2).sum(axis=1) / np.maximum(rows, 1)
        return cls(rows, sums, variance)

    @property
    def mean(self) -> Floats:
        """Mean loss [bins], shrunken towards the overall mean by one row."""
        overall = float(self.sums.sum()) / max(int(self.rows.sum()), 1)
        out: Floats = (self.sums + overall) / (self.rows + 1)
        return out

    @property
    def noise(self) -> Floats:
        """Variance [bins] of a single row's loss, shrunken towards the widest by one row."""
        out: Floats = (self.rows * self.variance + WIDEST) / (self.rows + 1)
        return out


_INTEGER_BINS = slice(3, -4)  # the bins of the integers, without those for values below and above


def estimate(profile: Profile, counts: Counts) -> EstimatedLoss | None:
    """Return the loss to expect of the rows in `counts`; None without scores in the profile or rows in `counts`.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.performance.estimate import estimate
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> sure = np.tile([0.55, 0.95], 500)
        >>> label = np.where(np.arange(1000) % 20 < 10 - 9 * (sure > 0.9), "no", "yes")  # half of the unsure are wrong
        >>> rows = {"predicted": np.full(1000, "yes"), "sure": sure, "truth": label}
        >>> sides = {"predicted": "prediction", "sure": "prediction", "truth": "label"}
        >>> profile = build_profile(rows, sides=sides, exchangeable=True)
        >>> counting = TickCounts(profile)
        >>> counting.add(Batch({"predicted": ["yes"] * 100, "sure": [0.55] * 100}, 100, "prediction"))
        >>> round(estimate(profile, counting.take()).value, 1)
        0.5
    """
    spec = profile.performance
    if spec is None or spec.score not in profile.index or BY_SCORE not in profile.index or LOSS not in profile.index:
        return None
    live = counts.of(profile, spec.score)
    rows = int(live.sum())
    if rows == 0:
        return None
    levels = np.array(spec.levels)
    reference = _LossByBin.of(profile.feature(BY_SCORE).reference_counts, len(live), levels)
    labelled = _LossByBin.of(counts.of(profile, BY_SCORE), len(live), levels)
    design_effect = max(profile.feature(name).design_effect for name in (LOSS, spec.score))
    share = live / rows
    mean, noise = reference.mean, reference.noise
    value = float(share @ mean)
    of_rows = float(share @ (noise + mean**2)) - value**2
    of_reference = float(share**2 @ (noise / (reference.rows + 1)))
    low, high = interval(value, design_effect * (of_rows / rows + of_reference), rows / design_effect)
    overall = float(reference.sums.sum()) / max(int(reference.rows.sum()), 1)
    reason = _contradiction(spec, reference, labelled, design_effect)
    return EstimatedLoss(value, low, high, rows, overall, not reason, reason, int(labelled.rows.sum()))


def _contradiction(spec: PerformanceSpec, reference: _LossByBin, labelled: _LossByBin, design_effect: float) -> str:
    """Return why labelled rows [score bins] contradict the reference's losses by score, or an empty text."""
    used = labelled.rows > 0
    if not used.any():
        return ""
    rows = labelled.rows[used]
    mean, noise, known = reference.mean[used], reference.noise[used], reference.rows[used]
    expected, seen = float(rows @ mean), float(labelled.sums.sum())
    variance = design_effect * noise * rows * (1 + rows / (known + 1))
    total = int(rows.sum())
    gaps = np.abs(labelled.sums[used] - rows * mean)
    by_chance = float(np.sqrt(2 / np.pi * variance).sum())
    sure = abs(seen - expected) / float(np.sqrt(variance.sum())) > CONTRADICTION_Z
    sure_of_bins = normal_score(float((gaps**2 / variance).sum()), len(rows)) > CONTRADICTION_Z
    larger, bins_larger = abs(seen - expected) > MATTERS * total, gaps.sum() - by_chance > 2 * MATTERS * total
    remedy = "the learned relation has changed; use the labels"
    if sure and larger:
        usual = f"reference rows with the same {spec.score!r} lose {expected / total:.3g}"
        return f"{total} labelled rows lose {seen / total:.3g} on average, {usual}: {remedy}"
    if sure_of_bins and bins_larger:
        gap = f"by {gaps.sum() / total:.3g} from those of reference rows with the same {spec.score!r}"
        return f"the losses of {total} labelled rows differ {gap}: {remedy}"
    return ""
