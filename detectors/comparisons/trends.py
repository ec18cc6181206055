"""Trends: the effect sizes of a feature from window to window.

The timeline of the report shows them. Alarms never depend on them.
"""

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
    """One feature over n windows, oldest first; all arrays are [n], NaN where a window has no rows of the feature.

    Attributes:
        psi, psi_low, psi_high: PSI against the reference with a 95 % interval; with slots, against the same hours.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        mean: mean position of the rows, in reference standard deviations from the reference mean; None without an
            order.
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
    """Yield the trend of each feature over windows of the profile, in the order of the features.

    `tick_seconds` is 0 if ticks are not counted from the epoch.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.comparisons.trends import trends
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> from pilotfish.detectors.summaries.windows import Windows, window_levels
        >>> profile = build_profile({"x": np.arange(1000) % 5}, exchangeable=True)
        >>> windows, counting = Windows(profile, window_levels(60.0)), TickCounts(profile)
        >>> for tick, value in enumerate([2, 4]):
        ...     counting.add(Batch({"x": [value] * 50}, 50))
        ...     windows.add(tick, counting.take())
        >>> [trend.mean.round(1).tolist() for trend in trends(profile, windows.snapshot())]
        [[0.0, 1.4]]
    """
    for position, feature in enumerate(profile.features):
        first, last = profile.offsets[position], profile.offsets[position + 1]
        counts = np.array([window.bin_counts[first:last] for window in windows], np.int64).reshape(-1, last - first)
        measure = EffectSizeEstimator.of(feature, tick_seconds)
        references = [measure.reference_over(window.first, window.last) for window in windows]
        yield _trend(feature, measure, counts, np.array(references, np.int64).reshape(counts.shape))


def _trend(feature: Feature, measure: EffectSizeEstimator, counts: Ints, references: Ints) -> Trend:
    """Return the trend for `counts` and `references` [n, bins]."""
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
