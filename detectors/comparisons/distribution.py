"""The distribution of a feature in at most 13 bins, for dashboards.

The bins are the tenths of the reference that Jensen-Shannon uses, or the most frequent categories. They depend on the
profile alone, so a bin keeps its label while the profile is in force.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ..batch import Ints
from ..binning.numeric import FIRST_VALUE_BIN, NumericBins
from ..profile.feature import Feature
from .tenths import tenths

CATEGORIES = 10  # bins for the most frequent categories; the others share one bin
DIGITS = (4, 6, 9)  # significant ones of a border: as many as tell the bins apart


@dataclass(frozen=True)
class CoarseDistribution:
    """The shares of the rows in each bin: in the reference and in the current rows. Each sums to 1."""

    bins: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class CoarseBins:
    """At most 13 bins for people. `group` [bins of the feature] holds the coarse bin of each bin.

    Example:
        >>> from pilotfish.detectors.comparisons.distribution import CoarseBins
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> profile = build_profile({"city": ["Rome"] * 300 + ["Bern"] * 100}, exchangeable=True)
        >>> feature = profile.feature("city")
        >>> found = CoarseBins.of(feature).distribution(feature.reference_counts, feature.reference_counts)
        >>> dict(zip(found.bins, found.reference))
        {'Rome': 0.75, 'Bern': 0.25, 'unseen': 0.0, 'missing': 0.0}
    """

    labels: tuple[str, ...]
    group: Ints

    @classmethod
    def of(cls, feature: Feature) -> CoarseBins:
        """Return the coarse bins of a feature."""
        if isinstance(feature.bins, NumericBins):
            return _intervals(feature.bins, feature.reference_counts)
        return _categories(feature)

    def distribution(self, reference: Ints, current: Ints) -> CoarseDistribution:
        """Return the shares for two counts [bins of the feature]."""
        return CoarseDistribution(self.labels, self._shares(reference), self._shares(current))

    def _shares(self, counts: Ints) -> tuple[float, ...]:
        rows = np.bincount(self.group, weights=counts, minlength=len(self.labels))
        return tuple(np.round(rows / max(1, int(counts.sum())), 6).tolist())


def _intervals(bins: NumericBins, reference: Ints) -> CoarseBins:
    """Return tenths of the reference between one bin below its range, and one above it and one for missing values."""
    starts = tenths(bins, reference, open_ended=False)
    group = np.searchsorted(starts, np.arange(bins.size), side="right") - 1
    borders = [_ends(bins, first, end) for first, end in itertools.pairwise(starts[1:-1].tolist())]
    by_digits = [[_interval(*ends, digits) for ends in borders] for digits in DIGITS]
    inner = next((texts for texts in by_digits if len(set(texts)) == len(texts)), by_digits[-1])
    low, high = inner[0].split(" to ")[0], inner[-1].split(" to ")[-1]
    return CoarseBins((f"below {low}", *inner, f"above {high}", "missing"), group)


def _ends(bins: NumericBins, first: int, end: int) -> tuple[float, float]:
    """Return the least and the largest value of the value bins from `first` to before `end`."""
    atoms, cuts = bins.atoms[first - FIRST_VALUE_BIN : end - FIRST_VALUE_BIN], bins.cuts
    known = atoms[~np.isnan(atoms)]
    if bins.discrete and len(known):  # the bins between the values are empty in the reference
        return float(known[0]), float(known[-1])
    left, right = (cuts[at] if np.isnan(atom) else atom for at, atom in ((first - 2, atoms[0]), (end - 2, atoms[-1])))
    return float(left), float(right)


def _interval(low: float, high: float, digits: int) -> str:
    left, right = (f"{end:.{digits}g}" if abs(end) > 1e-300 else "0" for end in (low, high))
    return left if left == right else f"{left} to {right}"


def _categories(feature: Feature) -> CoarseBins:
    """Return the most frequent categories, the others, unseen and missing."""
    counts, roles = feature.reference_counts, feature.roles
    values = [at for at, role in enumerate(roles) if role == "value"]
    named = sorted(values, key=lambda at: (-int(counts[at]), at))[:CATEGORIES]
    others = [at for at, role in enumerate(roles) if role in ("value", "tail") and at not in named]
    rest = [at for at in range(len(roles)) if at not in named and at not in others]
    parts = [*([at] for at in named), *([others] if others else []), *([at] for at in rest)]
    group = np.zeros(len(roles), dtype=np.int64)
    for number, part in enumerate(parts):
        group[part] = number
    labels = ["others" if part is others else feature.labels[part[0]] for part in parts]
    return CoarseBins(tuple(labels), group)
