"""The reference of a feature as a line of block characters."""

from __future__ import annotations

import numpy as np

from ...detectors.batch import Floats
from ...detectors.binning.numeric import NumericBins
from ...detectors.profile.feature import Feature

BLOCKS = " ▁▂▃▄▅▆▇█"


def sparkline(feature: Feature, width: int) -> str:
    """Return at most `width` blocks: the mass of equal intervals (1 % to 99 % quantile) or of each category."""
    mass = _numeric(feature, feature.bins, width) if isinstance(feature.bins, NumericBins) else _named(feature, width)
    top = float(mass.max()) if len(mass) else 0.0
    if top <= 0:
        return ""
    heights = np.where(mass > 0, np.clip(np.ceil(mass / top * (len(BLOCKS) - 1)), 1, None), 0).astype(int)
    return "".join(BLOCKS[height] for height in heights)


def cumulative(feature: Feature, bins: NumericBins) -> tuple[Floats, Floats]:
    """Return (borders of the value bins, share of the in-range reference values below each border)."""
    counts = feature.reference_counts[3:-4].astype(
        np.float64
    )  # without the bins inf, far, below; above, far, inf, missing
    return bins.cuts[1:-1], np.concatenate([[0.0], np.cumsum(counts) / max(1.0, counts.sum())])


def _numeric(feature: Feature, bins: NumericBins, width: int) -> Floats:
    if bins.discrete:
        counts = feature.reference_counts[3:-4][~np.isnan(bins.atoms)].astype(np.float64)
        step = -(-len(counts) // width)
        return np.add.reduceat(counts, np.arange(0, len(counts), step))
    borders, below = cumulative(feature, bins)
    borders = borders / np.abs(borders).max()  # avoids overflow near the smallest double
    low, high = np.interp([0.01, 0.99], below, borders)
    return np.diff(np.interp(np.linspace(low, high, width + 1), borders, below))


def _named(feature: Feature, width: int) -> Floats:
    roles = feature.roles
    counts = [count for count, role in zip(feature.reference_counts, roles, strict=True) if role == "value"]
    tail = sum(count for count, role in zip(feature.reference_counts, roles, strict=True) if role == "tail")
    shown = [*counts[: width - 1], sum(counts[width - 1 :]) + tail]
    return np.array([count for count in shown if count > 0], np.float64)
