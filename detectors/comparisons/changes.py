"""The one change of a feature that is clearest against its noise, in the units of its values, for one sentence.

`effects` adds it to the effect sizes, and the report words it. Alarms never depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Literal, TypeAlias

import numpy as np

from ..batch import Floats, Ints
from ..binning.numeric import NumericBins
from ..profile.feature import Feature

ChangeMeasure: TypeAlias = Literal[
    "above", "below", "infinite", "mean", "missing", "range", "share", "spread", "unseen"
]

LARGEST_PART = 0.5  # of the rows outside the range, up to which their share says more than the mean
LEAST_RISE = 0.002  # a smaller difference of shares is not worth a sentence
SAME_MEAN = 0.2  # sd up to which a change of the spread counts as one at the same mean
MASKED: tuple[ChangeMeasure, ...] = ("missing", "unseen")


@dataclass(frozen=True)
class Change:
    """The clearest change of a feature.

    Attributes:
        measure: "mean", "spread" (standard deviation, at nearly the same mean), or the share of rows that are: "above"
            or "below" the reference range, "infinite", "missing", "unseen", one value ("share"), or values of an
            interval ("range").
        of: the value or the interval of a share, the end of the range; empty otherwise.
        before, after: in the reference and in the current rows; a mean and a spread in the unit of the values.
        sd: distance of the means in reference standard deviations, or the ratio of the spreads; None for shares, and
            for a constant reference.
    """

    measure: ChangeMeasure
    of: str
    before: float
    after: float
    sd: float | None = None


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of the finite values, in reference standard deviations, and kurtosis."""

    mean: float
    sd: float
    kurtosis: float

    @classmethod
    def of(cls, counts: Ints, positions: Floats) -> Moments | None:
        """Return the moments of counts [bins] at positions [bins]; None without finite values."""
        used = np.isfinite(positions) & (counts > 0)
        if not used.any():
            return None
        p, at = counts[used] / counts[used].sum(), positions[used]
        mean = float(p @ at)
        scale = float(np.abs(at - mean).max()) or 1.0  # avoids overflow of powers
        deviation = (at - mean) / scale
        variance = float(p @ deviation**2)
        fourth = float(p @ deviation**4)
        return cls(mean, scale * variance**0.5, fourth / variance**2 if variance > 0 else 3.0)


def clearest_change(
    shares: ShareMeasures, reference: Ints, current: Ints, unit: tuple[float, float], positions: Floats | None
) -> Change | None:
    """Return the change with the largest likelihood ratio; None if no share, mean or spread differs.

    The likelihood ratio of a share is that of two binomial samples, and that of a mean or a spread of two normal ones.
    The kurtosis of the reference scales that of the spread. All are logarithms per row, so they compare.

    Args:
        shares: the shares of the feature.
        reference, current: counts [bins] with rows.
        unit: reference mean and standard deviation in the unit of the values.
        positions: [2, bins] of both in reference standard deviations from the reference mean; None for categories.
    """
    found = list(shares.changes(reference, current))
    if positions is not None:
        moved = list(_moment_changes(reference, current, unit, positions))
        outside = sum(change.after - change.before for _, change in found if change.measure in {"above", "below"})
        if moved and outside > LARGEST_PART:
            found = [pair for pair in found if pair[1].measure not in {"above", "below", "range", "unseen"}]
        found += moved
    best = max(found, key=lambda pair: pair[0], default=None)
    return None if best is None or not best[0] > 0 else best[1]


@dataclass(frozen=True)
class ShareMeasures:
    """The shares of one feature that a change can be about.

    Attributes:
        names: measure and `of` of each share.
        matrix: [shares, bins] 1 for the bins of each share.
    """

    names: tuple[tuple[ChangeMeasure, str], ...]
    matrix: Ints

    @classmethod
    def of(cls, feature: Feature, groups: Ints) -> ShareMeasures:
        """Return the shares; `groups` are the first bins of the groups whose shares show a change of shape."""
        found = list(_masks(feature, groups))
        matrix = np.zeros((len(found), len(feature.roles)), np.int64)
        for at, (_, _, bins) in enumerate(found):
            matrix[at, bins] = 1
        return cls(tuple((measure, of) for measure, of, _ in found), matrix)

    def changes(self, reference: Ints, current: Ints) -> Iterator[tuple[float, Change]]:
        """Yield the shares that differ in counts [bins], with their log likelihood ratios."""
        m, n = int(reference.sum()), int(current.sum())
        before, after = self.matrix @ reference / m, self.matrix @ current / n
        for at in np.flatnonzero(np.abs(after - before) >= LEAST_RISE).tolist():
            (measure, of), old, new = self.names[at], float(before[at]), float(after[at])
            yield _binomial(old, new, m, n), Change(measure, of, old, new)


def _masks(feature: Feature, groups: Ints) -> Iterator[tuple[ChangeMeasure, str, list[int]]]:
    roles, labels, size = np.array(feature.roles), feature.labels, len(feature.roles)
    ordered = isinstance(feature.bins, NumericBins)
    for role in MASKED:
        yield role, "", np.flatnonzero(roles == role).tolist()
    if ordered:
        low, high = (labels[at].rpartition(" ")[2] for at in (2, size - 4))
        yield "below", low, [1, 2]
        yield "above", high, [size - 4, size - 3]
        yield "infinite", "", [0, size - 2]
    for at, label in enumerate(labels):
        twin = feature.kind == "boolean" and label == "false"  # true has the same change with the other sign
        if roles[at] == "value" and not twin and not (ordered and label.startswith("[")):
            yield "share", label, [at]
    if isinstance(feature.bins, NumericBins) and not feature.bins.discrete:
        for of, bins in _ranges(feature.bins.cuts, groups):
            yield "range", of, bins


def _ranges(cuts: Floats, groups: Ints) -> Iterator[tuple[str, list[int]]]:
    """Yield the intervals of the groups, with their bins inside the range."""
    last = len(cuts)  # the bin above the range
    ends = [*groups[1:].tolist(), last]
    for first, end in zip(groups.tolist(), ends, strict=True):
        inner = range(max(first, 3), min(end, last))
        if inner:
            yield f"{cuts[inner[0] - 2]:.4g} to {cuts[inner[-1] - 1]:.4g}", list(inner)


def _binomial(before: float, after: float, m: int, n: int) -> float:
    """Return the log likelihood ratio of two binomial samples of m and n rows, per row of the smaller sample."""
    both = (before * m + after * n) / (m + n)
    return (m * _divergence(before, both) + n * _divergence(after, both)) / min(m, n)


def _divergence(p: float, q: float) -> float:
    return sum(a * log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0 and b > 0)


def _moment_changes(
    reference: Ints, current: Ints, unit: tuple[float, float], positions: Floats
) -> Iterator[tuple[float, Change]]:
    old, new = Moments.of(reference, positions[0]), Moments.of(current, positions[1])
    centre, sd = unit
    if old is None or new is None:
        return
    m, n = int(reference.sum()), int(current.sum())
    weight = m * n / (m + n) / min(m, n)
    shift = new.mean - old.mean
    after = centre + shift * (sd or 1.0)
    if not np.isfinite(after):
        return
    variance = max(old.sd**2, new.sd**2) or 1.0
    yield weight * shift**2 / variance / 2, Change("mean", "", centre, after, shift if sd else None)
    inside = np.isfinite(positions[1])
    inside[[1, -3]] = False  # far values widen any spread
    narrow = Moments.of(np.where(inside, current, 0), positions[1])
    if narrow is not None and old.sd > 0 and narrow.sd > 0 and sd and abs(shift) <= SAME_MEAN:
        ratio = (narrow.sd / old.sd) ** 2
        evidence = weight * (ratio - 1 - np.log(ratio)) / 2 / max(1.0, (old.kurtosis - 1) / 2)
        yield evidence, Change("spread", "", sd * old.sd, sd * narrow.sd, narrow.sd / old.sd)
