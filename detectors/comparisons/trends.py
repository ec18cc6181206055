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
from .effects import EffectSizeEstimator, PositionScale
from .psi import psi_rowwise


@dataclass(frozen=True)
class Trend:
    """One feature over n windows, oldest first; all arrays are [n], NaN where a window has no rows of the feature.

    Attributes:
        psi, psi_low, psi_high: PSI against the reference with a 95 % interval; with slots, against the same ones.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        mean: mean of the finite values less the reference mean, in reference standard deviations; None for categories
            and for a constant reference.
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
        excess = np.array([window.excess[position] for window in windows], np.int64).reshape(-1, 2)
        measure = EffectSizeEstimator.of(feature, tick_seconds)
        references = [measure.reference_over(window.first, window.last) for window in windows]
        references_of = np.array(references, np.int64).reshape(counts.shape)
        yield _trend(feature, measure, counts, excess, references_of)


def _trend(feature: Feature, measure: EffectSizeEstimator, counts: Ints, excess: Ints, references: Ints) -> Trend:
    """Return the trend for `counts` [n, bins], `excess` [n, 2] and `references` [n, bins]."""
    rows = counts.sum(-1)
    pair = measure.grouped("psi", references), measure.grouped("psi", counts)
    value, low, high = psi_rowwise(*pair, feature.design_effect) if len(counts) else (np.zeros(0),) * 3
    scale = measure.scale
    return Trend(
        feature=feature,
        rows=rows,
        psi=value,
        psi_low=low,
        psi_high=high,
        missing_ratio=_shares(counts, rows, measure.missing),
        unseen_ratio=_shares(counts, rows, measure.unseen),
        out_of_range_ratio=_shares(counts, rows, measure.outside),
        mean=None if scale is None or not scale.sd else _means(scale, counts, excess),
    )


def _shares(counts: Ints, rows: Ints, of: Bools) -> Floats:
    return np.where(rows > 0, counts[:, of].sum(-1) / np.maximum(rows, 1), np.nan)


def _means(scale: PositionScale, counts: Ints, excess: Ints) -> Floats:
    finite = np.isfinite(scale.reference)
    rows = counts[:, finite].sum(-1)
    sums = (counts[:, finite] * scale.current(counts, excess)[:, finite]).sum(-1)
    return np.where(rows > 0, sums / np.maximum(rows, 1), np.nan)
