"""Bars for a feature's histogram: equal steps for numbers, the commonest values for whatever has names."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ....detectors.batch import Floats, Ints
from ....detectors.binning.numeric import NumericBins
from ....detectors.comparisons.effects import EffectSizeEstimator
from ....detectors.profile.feature import Feature
from .schema import FeatureHistogram

STEPS = 32  # bars for numbers between the quantiles below
NAMED = 32  # bars for values with names; the others are one bar
LOW, HIGH = 0.005, 0.995
LABEL_LENGTH = 80


@dataclass(frozen=True)
class HistogramLayout:
    """Bars of one feature: `matrix` [bars, cells] deals the rows of each cell out among them."""

    labels: tuple[str, ...]
    edges: tuple[float, ...]
    matrix: Floats
    measure: EffectSizeEstimator

    @classmethod
    def of(cls, feature: Feature, tick_seconds: float) -> HistogramLayout:
        """The bars that suit the feature; `tick_seconds` is 0 where ticks are not counted from the epoch."""
        bins = feature.bins
        continuous = isinstance(bins, NumericBins) and not bins.discrete
        labels, edges, matrix = (
            _steps(feature, bins) if isinstance(bins, NumericBins) and continuous else _names(feature)
        )
        short = tuple(label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "…" for label in labels)
        return cls(short, edges, matrix, EffectSizeEstimator.of(feature, tick_seconds))

    def histogram(self, counts: Ints, stretch: tuple[int, int] | None) -> FeatureHistogram:
        """The histogram of `counts` [cells] in a stretch of ticks beside the reference's of the same hours."""
        reference = self.measure.reference if stretch is None else self.measure.reference_over(*stretch)
        current, old = _shares(self.matrix, counts), _shares(self.matrix, reference)
        kept = [at for at in range(len(self.labels)) if self._is_needed(at) or old[at] > 0 or current[at] > 0]
        return FeatureHistogram(
            labels=tuple(self.labels[at] for at in kept),
            edges=self.edges,
            reference=tuple(old[at] for at in kept),
            current=tuple(current[at] for at in kept),
            rows=int(counts.sum()),
        )

    def _is_needed(self, at: int) -> bool:
        return bool(self.edges) and at <= len(self.edges)  # the bar below, and the steps


def _shares(matrix: Floats, counts: Ints) -> tuple[float, ...]:
    found = matrix @ counts / max(1, int(counts.sum()))
    return tuple(np.round(found, 6).tolist())


def _steps(feature: Feature, bins: NumericBins) -> tuple[list[str], tuple[float, ...], Floats]:
    """Equal steps between two quantiles of the reference; within a cell, rows are dealt out evenly."""
    counts = feature.reference_counts
    borders = bins.cuts[1:-1]  # of the value cells
    first, cells = 3, len(borders) - 1
    scale = float(np.abs(borders).max()) or 1.0  # the slopes between borders near the largest double overflow
    scaled = borders / scale
    below = np.concatenate([[0.0], np.cumsum(counts[first : first + cells])])
    low, high = np.interp([LOW * below[-1], HIGH * below[-1]], below, scaled)
    if not high > low:
        low, high = scaled[0], scaled[-1]
    edges = np.linspace(low, high, STEPS + 1)
    matrix = np.zeros((STEPS + 2 + 2, len(counts)))  # below, steps, above, infinite, missing
    for cell in range(cells):
        left, right = scaled[cell], scaled[cell + 1]
        with np.errstate(over="ignore"):  # cells around one value are as thin as a double can tell
            parts = np.clip((edges - left) / (right - left) if right > left else edges > left, 0.0, 1.0).astype(float)
        matrix[: STEPS + 2, first + cell] = np.diff(np.concatenate([[0.0], parts, [1.0]]))
    matrix[0, 1:first] = 1.0
    matrix[STEPS + 1, first + cells : first + cells + 2] = 1.0
    matrix[STEPS + 2, [0, -2]] = 1.0
    matrix[STEPS + 3, -1] = 1.0
    at = (edges * scale).tolist()
    names = [f"{value:.4g}" for value in at]
    inner = [f"{one} to {other}" for one, other in itertools.pairwise(names)]
    return [f"below {names[0]}", *inner, f"above {names[-1]}", "infinite", "missing"], tuple(at), matrix


def _names(feature: Feature) -> tuple[list[str], tuple[float, ...], Floats]:
    """A bar a cell; values beyond the commonest share one."""
    counts, labels = feature.reference_counts, feature.labels
    values = [at for at, role in enumerate(feature.roles) if role == "value"]
    common = set(sorted(values, key=lambda at: (-int(counts[at]), at))[:NAMED])
    own = [at for at in range(len(labels)) if at in common or at not in values]
    rest = [at for at in values if at not in common]
    matrix = np.zeros((len(own) + bool(rest), len(labels)))
    matrix[np.arange(len(own)), own] = 1.0
    names = [labels[at] for at in own]
    if rest:
        matrix[-1, rest] = 1.0
        names.append(f"{len(rest)} others")
    return names, (), matrix
