"""Two profiles side by side: what came, what went, and how far each feature moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.batch import Column, Ints
from pilotfish.detectors.binning.categories import CategoryBins
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.comparisons.psi import psi
from pilotfish.detectors.comparisons.score import Score
from pilotfish.detectors.profile import Feature, Profile
from pilotfish.sidecar.profiles.histogram import cumulative


@dataclass(frozen=True, slots=True)
class Moved:
    """One feature of both profiles. `psi` is None where the kinds do not compare; `missing` is (before, after)."""

    before: Feature
    after: Feature
    psi: Score | None
    missing: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Features of both (the farthest moved first), of the second only, of the first only."""

    moved: tuple[Moved, ...]
    added: tuple[Feature, ...]
    removed: tuple[Feature, ...]


def difference(before: Profile, after: Profile) -> Difference:
    """Return what changed from `before` to `after`."""
    common = [feature for feature in before.features if feature.name in after.index]
    moved = [_moved(feature, after.feature(feature.name)) for feature in common]
    moved.sort(key=lambda item: -(item.psi.value if item.psi else np.inf))
    return Difference(
        tuple(moved),
        tuple(feature for feature in after.features if feature.name not in before.index),
        tuple(feature for feature in before.features if feature.name not in after.index),
    )


def rebinned(feature: Feature, onto: Feature) -> Ints | None:
    """Return the reference counts of `feature` in the cells of `onto`; None where numbers meet categories.

    Exact for categories and for values with a cell of their own; in between values are taken as evenly spread.
    """
    if isinstance(feature.bins, NumericBins) and isinstance(onto.bins, NumericBins):
        return _numeric(feature, feature.bins, onto.bins)
    if isinstance(feature.bins, CategoryBins) and isinstance(onto.bins, CategoryBins):
        return _named(feature, feature.bins, onto.bins)
    return None


def missing_ratio(feature: Feature) -> float:
    """Return the share of the reference rows without a value."""
    return float(feature.reference_counts[-1] / max(1, feature.reference_counts.sum()))


def _moved(before: Feature, after: Feature) -> Moved:
    counts = rebinned(after, before)
    score = None if counts is None else psi(before.reference_counts, counts, np.arange(len(counts), dtype=np.float64))
    return Moved(before, after, score, (missing_ratio(before), missing_ratio(after)))


def _numeric(feature: Feature, bins: NumericBins, onto: NumericBins) -> Ints:
    counts = feature.reference_counts
    found = np.zeros(onto.size, np.int64)
    found[-1] = counts[-1]
    found[[0, -2]] += counts[[0, -2]]  # the infinities
    for cell, at in ((1, bins.cuts[0]), (2, bins.cuts[1]), (-4, bins.cuts[-2]), (-3, bins.cuts[-1])):
        inside = np.nextafter(at, -np.inf) if cell in {1, 2} else at  # the nearest value that the cell may hold
        found[onto.cells_of(Column(np.array([inside])))[0]] += counts[cell]
    values = counts[3:-4]
    if bins.discrete:
        named = ~np.isnan(bins.atoms)
        np.add.at(found, onto.cells_of(Column(bins.atoms[named]))[0], values[named])
        return found
    borders, below = cumulative(feature, bins)
    shares = np.interp(onto.cuts, borders, below)
    whole = np.diff(np.concatenate([[0.0], shares, [1.0]])) * values.sum()
    rounded = np.diff(np.concatenate([[0], np.round(np.cumsum(whole)).astype(np.int64)]))
    found[1:-2] += rounded
    return found


def _named(feature: Feature, bins: CategoryBins, onto: CategoryBins) -> Ints:
    counts = feature.reference_counts
    found = np.zeros(onto.size, np.int64)
    names = len(bins.names)
    cells = onto.cells_of(Column(np.array(bins.names, dtype=object)))[0] if names else np.empty(0, np.int64)
    np.add.at(found, cells, counts[:names])
    if bins.buckets and onto.buckets:
        found[len(onto.names) : len(onto.names) + onto.buckets] += counts[names : names + bins.buckets]
    else:
        found[-2] += counts[names : names + bins.buckets].sum()
    found[-2:] += counts[-2:]
    return found
