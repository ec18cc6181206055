"""What loss to expect of rows whose labels have not come: that of the reference's rows with the same scores.

Method: confidence-based performance estimation (NannyML's documentation describes it as CBPE), with the reference's own
loss in each cell of the score in the place of a calibrated probability. So it needs no calibrated scores; it does
need that rows with a certain score are right as often as they were in the reference. Where what is learned does
change (concept drift) that is false, which only labels can tell: as soon as labelled rows contradict it cell by cell,
the estimate says so.
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

CONTRADICTION_Z = 4.0  # normal score beyond which labels and estimate contradict each other
MATTERS = 0.01  # difference of the mean loss below which they do not, however sure; twice as much for single cells
WIDEST = 0.25  # variance of a loss of which nothing is known


@dataclass(frozen=True)
class EstimatedLoss:
    """The loss to expect; an estimate, never an alarm.

    Attributes:
        value, low, high: in [0, 1]; 95 % for the mean loss that the labels of these rows will show.
        rows: rows with a prediction, of which it is made.
        reference: the mean loss of the reference's labelled rows.
        calibrated: whether rows with a certain score still lose as much as in the reference, as far as labels came.
        reason: why not, or nothing.
        checked: labelled rows by which that was checked; with 0 of them nobody knows.
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
    """Labelled rows by score cell: how many [cells], the sum of their losses, and the variance within."""

    rows: Ints
    sums: Floats
    variance: Floats

    @classmethod
    def of(cls, counts: Ints, size: int, levels: Floats) -> _LossByBin:
        """From the counts of "loss:by_score" [its cells]."""
        by_level = counts[_INTEGER_BINS][: size * len(levels)].reshape(size, len(levels))
        rows = by_level.sum(axis=1)
        sums = by_level @ levels
        mean = sums / np.maximum(rows, 1)
        variance = (by_level * (levels - mean[:, None]) ** 2).sum(axis=1) / np.maximum(rows, 1)
        return cls(rows, sums, variance)

    @property
    def mean(self) -> Floats:
        """[cells] the loss, that of all where a cell has no rows, as one more row would draw it."""
        overall = float(self.sums.sum()) / max(int(self.rows.sum()), 1)
        out: Floats = (self.sums + overall) / (self.rows + 1)
        return out

    @property
    def noise(self) -> Floats:
        """[cells] the variance of a single row's loss, drawn to the widest by one row."""
        out: Floats = (self.rows * self.variance + WIDEST) / (self.rows + 1)
        return out


_INTEGER_BINS = slice(3, -4)  # the cells of whole numbers, between what lies below and above them


def estimate(profile: Profile, counts: Counts) -> EstimatedLoss | None:
    """The loss to expect of the rows in `counts`; None without scores in the profile or rows in `counts`."""
    said = profile.performance
    if said is None or said.score not in profile.index or BY_SCORE not in profile.index or LOSS not in profile.index:
        return None
    live = counts.of(profile, said.score)
    rows = int(live.sum())
    if rows == 0:
        return None
    levels = np.array(said.levels)
    reference = _LossByBin.of(profile.feature(BY_SCORE).reference_counts, len(live), levels)
    labelled = _LossByBin.of(counts.of(profile, BY_SCORE), len(live), levels)
    design_effect = max(profile.feature(name).design_effect for name in (LOSS, said.score))
    share = live / rows
    mean, noise = reference.mean, reference.noise
    value = float(share @ mean)
    of_rows = float(share @ (noise + mean**2)) - value**2
    of_reference = float(share**2 @ (noise / (reference.rows + 1)))
    low, high = interval(value, design_effect * (of_rows / rows + of_reference), rows / design_effect)
    overall = float(reference.sums.sum()) / max(int(reference.rows.sum()), 1)
    reason = _contradiction(said, reference, labelled, design_effect)
    return EstimatedLoss(value, low, high, rows, overall, not reason, reason, int(labelled.rows.sum()))


def _contradiction(said: PerformanceSpec, reference: _LossByBin, labelled: _LossByBin, design_effect: float) -> str:
    """Why labelled rows [score cells] say that the reference's losses by score no longer hold, or nothing."""
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
    sure_of_cells = normal_score(float((gaps**2 / variance).sum()), len(rows)) > CONTRADICTION_Z
    larger, cells_larger = abs(seen - expected) > MATTERS * total, gaps.sum() - by_chance > 2 * MATTERS * total
    believe = "what was learned has changed, believe the labels"
    if sure and larger:
        such = f"where the reference's rows with such {said.score!r} lost {expected / total:.3g}"
        return f"{total} labelled rows lose {seen / total:.3g} {such}: {believe}"
    if sure_of_cells and cells_larger:
        apart = f"{gaps.sum() / total:.3g} apart from those that the reference's rows had at the same {said.score!r}"
        return f"the losses of {total} labelled rows are {apart}: {believe}"
    return ""
