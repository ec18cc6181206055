"""The bars of a feature's histogram: equal intervals for continuous numbers, the most frequent values otherwise.

Bins have unequal widths, so their rows are distributed over the bars. Each column of `matrix` must sum to 1, or the
histogram loses rows.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ....detectors.batch import Floats, Ints
from ....detectors.binning.numeric import NumericBins
from ....detectors.comparisons.effects import EffectSizeEstimator
from ....detectors.profile.feature import Feature
from .schema import FeatureHistogram

INTERVALS = 32  # bars for numbers, between the quantiles LOW and HIGH of the reference
INTERVALS_FROM = 2  # bars before the intervals: far below, and below
CATEGORIES = 32  # bars for the most frequent values; the others share one bar
LOW, HIGH = 0.005, 0.995
LABEL_LENGTH = 80


@dataclass(frozen=True)
class HistogramLayout:
    """The bars of one feature; `matrix` [bars, bins] holds the share of each bin's rows that falls into each bar."""

    labels: tuple[str, ...]
    edges: tuple[float, ...]
    matrix: Floats
    measure: EffectSizeEstimator

    @classmethod
    def of(cls, feature: Feature, tick_seconds: float) -> HistogramLayout:
        """Return the layout for `feature`; `tick_seconds` is 0 if a tick is a number of rows."""
        bins = feature.bins
        continuous = isinstance(bins, NumericBins) and not bins.discrete
        labels, edges, matrix = (
            _intervals(feature, bins) if isinstance(bins, NumericBins) and continuous else _categories(feature)
        )
        short = tuple(label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "…" for label in labels)
        return cls(short, edges, matrix, EffectSizeEstimator.of(feature, tick_seconds))

    def histogram(self, counts: Ints, stretch: tuple[int, int] | None) -> FeatureHistogram:
        """Return the histogram of `counts` [bins], with the reference of the same slots.

        `stretch` is the (first, last) tick of the counts; with None, the whole reference is used.
        """
        reference = self.measure.reference if stretch is None else self.measure.reference_over(*stretch)
        current, old = _shares(self.matrix, counts), _shares(self.matrix, reference)
        kept = [at for at in range(len(self.labels)) if self._is_needed(at) or old[at] > 0 or current[at] > 0]
        return FeatureHistogram(
            labels=tuple(self.labels[at] for at in kept),
            edges=self.edges,
            before=sum(at < INTERVALS_FROM for at in kept) if self.edges else 0,
            reference=tuple(old[at] for at in kept),
            current=tuple(current[at] for at in kept),
            rows=int(counts.sum()),
        )

    def _is_needed(self, at: int) -> bool:
        return bool(self.edges) and 1 <= at <= len(self.edges)  # the bar below the intervals, and the intervals


def _shares(matrix: Floats, counts: Ints) -> tuple[float, ...]:
    found = matrix @ counts / max(1, int(counts.sum()))
    return tuple(np.round(found, 6).tolist())


def _intervals(feature: Feature, bins: NumericBins) -> tuple[list[str], tuple[float, ...], Floats]:
    """Return (labels, edges, matrix) with equal intervals; rows of a bin are spread evenly over its width."""
    counts = feature.reference_counts
    borders = bins.cuts[1:-1]  # of the bins with the role value
    first, inner_bins = 3, len(borders) - 1
    scale = float(np.abs(borders).max()) or 1.0  # avoids overflow near the largest double
    scaled = borders / scale
    below = np.concatenate([[0.0], np.cumsum(counts[first : first + inner_bins])])
    low, high = np.interp([LOW * below[-1], HIGH * below[-1]], below, scaled)
    if not high > low:
        low, high = scaled[0], scaled[-1]
    edges = np.linspace(low, high, INTERVALS + 1)
    bars = INTERVALS + INTERVALS_FROM + 4  # far below, below; intervals; above, far above, infinite, missing
    matrix = np.zeros((bars, len(counts)))
    for at in range(inner_bins):
        left, right = scaled[at], scaled[at + 1]
        with np.errstate(over="ignore"):  # a bin around a single value is one ulp wide
            parts = np.clip((edges - left) / (right - left) if right > left else edges > left, 0.0, 1.0).astype(float)
        matrix[1:-3, first + at] = np.diff(np.concatenate([[0.0], parts, [1.0]]))
    matrix[[0, 1, -4, -3], [1, 2, -4, -3]] = 1.0
    matrix[-2, [0, -2]] = 1.0
    matrix[-1, -1] = 1.0
    values = (edges * scale).tolist()
    names = [f"{value:.4g}" for value in values]
    inner = [f"{one} to {other}" for one, other in itertools.pairwise(names)]
    far = [f"far {side} {cut:.4g}" for side, cut in (("below", bins.cuts[0]), ("above", bins.cuts[-1]))]
    labels = [far[0], f"below {names[0]}", *inner, f"above {names[-1]}", far[1], "infinite", "missing"]
    return labels, tuple(values), matrix


def _categories(feature: Feature) -> tuple[list[str], tuple[float, ...], Floats]:
    """Return (labels, no edges, matrix) with one bar per bin; infrequent values share a bar."""
    counts, labels = feature.reference_counts, feature.labels
    values = [at for at, role in enumerate(feature.roles) if role == "value"]
    common = set(sorted(values, key=lambda at: (-int(counts[at]), at))[:CATEGORIES])
    own = [at for at in range(len(labels)) if at in common or at not in values]
    rest = [at for at in values if at not in common]
    matrix = np.zeros((len(own) + bool(rest), len(labels)))
    matrix[np.arange(len(own)), own] = 1.0
    names = [labels[at] for at in own]
    if rest:
        matrix[-1, rest] = 1.0
        names.append(f"{len(rest)} others")
    return names, (), matrix
