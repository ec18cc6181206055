"""How a feature went from window to window: what the time line of a report is drawn from; no alarm comes from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Floats, Ints
from ..profile.feature import Feature
from ..profile.profile import Profile
from ..summaries.windows import Window
from .effects import EffectSizeEstimator
from .psi import psi_rowwise


@dataclass(frozen=True)
class Trend:
    """One feature over n windows, oldest first; all [n], NaN where a window has no rows of it.

    Attributes:
        psi, psi_low, psi_high: against the reference, of the same hours where those matter, with a 95 % interval.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        mean: where the rows lie on average, in reference sd from the reference's own mean; None without an order.
    """

    feature: Feature
    rows: Ints
    psi: Floats
    psi_low: Floats
    psi_high: Floats
    missing_ratio: Floats
    unseen_ratio: Floats
    out_of_range_ratio: Floats
    mean: Floats | None


def trends(profile: Profile, windows: Sequence[Window], tick_seconds: float = 0.0) -> Iterator[Trend]:
    """The trend of each feature over windows of the profile, in the order of the features.

    `tick_seconds` is 0 where ticks are not counted from the epoch.
    """
    for position, feature in enumerate(profile.features):
        first, last = profile.offsets[position], profile.offsets[position + 1]
        counts = np.array([window.bin_counts[first:last] for window in windows], np.int64).reshape(-1, last - first)
        measure = EffectSizeEstimator.of(feature, tick_seconds)
        references = [measure.reference_over(window.first, window.last) for window in windows]
        yield _trend(feature, measure, counts, np.array(references, np.int64).reshape(counts.shape))


def _trend(feature: Feature, measure: EffectSizeEstimator, counts: Ints, references: Ints) -> Trend:
    """`counts` and `references` are [n, cells]."""
    rows = counts.sum(-1)
    value, low, high = psi_rowwise(references, counts, feature.design_effect) if len(counts) else (np.zeros(0),) * 3
    return Trend(
        feature=feature,
        rows=rows,
        psi=value,
        psi_low=low,
        psi_high=high,
        missing_ratio=_shares(counts, rows, measure.missing),
        unseen_ratio=_shares(counts, rows, measure.unseen),
        out_of_range_ratio=_shares(counts, rows, measure.outside),
        mean=_means(measure, counts) if measure.ordered else None,
    )


def _shares(counts: Ints, rows: Ints, of: Bools) -> Floats:
    return np.where(rows > 0, counts[:, of].sum(-1) / np.maximum(rows, 1), np.nan)


def _means(measure: EffectSizeEstimator, counts: Ints) -> Floats:
    positions, present = measure.positions, ~measure.missing

    def mean(of: Ints) -> Floats:
        rows = of[..., present].sum(-1)
        return np.where(rows > 0, of[..., present] @ positions[present] / np.maximum(rows, 1), np.nan)

    return mean(counts) - np.nan_to_num(mean(measure.reference))
