"""Two profiles side by side: what came, what went, and how far each feature moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...detectors.batch import Column, Floats, Ints
from ...detectors.binning.categories import CategoryBins
from ...detectors.binning.numeric import NumericBins
from ...detectors.comparisons.psi import psi
from ...detectors.comparisons.score import Score
from ...detectors.profile.feature import Feature
from ...detectors.profile.profile import Profile
from .sparkline import cumulative

TENTHS = 10
MOST_POINTS = 1000  # whole numbers in one cell that are told apart


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """One feature of both profiles. `psi` is None where the kinds do not compare; `missing` is (before, after)."""

    before: Feature
    after: Feature
    psi: Score | None
    missing: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ProfileDiff:
    """Features of both (the farthest moved first), of the second only, of the first only."""

    moved: tuple[FeatureChange, ...]
    added: tuple[Feature, ...]
    removed: tuple[Feature, ...]


def difference(before: Profile, after: Profile) -> ProfileDiff:
    """Return what changed from `before` to `after`."""
    common = [feature for feature in before.features if feature.watched and feature.name in after.index]
    moved = [_moved(feature, after.feature(feature.name)) for feature in common]
    moved.sort(key=lambda item: -(item.psi.value if item.psi else np.inf))
    return ProfileDiff(
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


def _moved(before: Feature, after: Feature) -> FeatureChange:
    counts = rebinned(after, before)
    score = None if counts is None else _psi(before, counts)
    return FeatureChange(before, after, score, (missing_ratio(before), missing_ratio(after)))


def _psi(before: Feature, counts: Ints) -> Score:
    """On tenths of the values, as is customary, not on the profile's finer cells, which rebinning would blur."""
    reference = before.reference_counts
    if isinstance(before.bins, NumericBins):
        groups = np.arange(len(reference))
        values = slice(3, -4)
        below = np.cumsum(reference[values]) - reference[values]
        groups[values] = 3 + (TENTHS * below) // max(1, int(reference[values].sum()))
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        reference, counts = np.add.reduceat(reference, starts), np.add.reduceat(counts, starts)
    return psi(reference, counts, np.arange(len(counts), dtype=np.float64))


def _numeric(feature: Feature, bins: NumericBins, onto: NumericBins) -> Ints:
    counts = feature.reference_counts
    found = np.zeros(onto.size, np.int64)
    found[-1] = counts[-1]
    found[[0, -2]] += counts[[0, -2]]  # the infinities
    for cell, at in ((1, bins.cuts[0]), (2, bins.cuts[1]), (-4, bins.cuts[-2]), (-3, bins.cuts[-1])):
        inside = np.nextafter(at, -np.inf) if cell in {1, 2} else at  # the nearest value that the cell may hold
        found[onto.digitize(Column(np.array([inside])))[0]] += counts[cell]
    values = counts[3:-4]
    if feature.kind == "integer" or bins.discrete:
        whole, shares = _integers(bins, values)
        spread = np.zeros(onto.size)
        np.add.at(spread, onto.digitize(Column(whole))[0], shares)
        return found + _rounded(spread)
    borders, below = cumulative(feature, bins)
    shares = np.interp(onto.cuts, borders, below)
    found[1:-2] += _rounded(np.diff(np.concatenate([[0.0], shares, [1.0]])) * values.sum())
    return found


def _integers(bins: NumericBins, values: Ints) -> tuple[Floats, Floats]:
    """Return (points, rows at each): the atoms, and whole numbers that share the rows of a cell evenly."""
    points: list[Floats] = []
    shares: list[Floats] = []
    for cell, (low, high, atom) in enumerate(zip(bins.cuts[1:-2], bins.cuts[2:-1], bins.atoms, strict=True)):
        inside = np.array([atom])
        if np.isnan(atom):
            step = max(1.0, np.ceil((high - low) / MOST_POINTS))
            inside = np.arange(np.ceil(low), high, step)
        inside = inside if len(inside) else np.array([(low + high) / 2])
        points.append(inside)
        shares.append(np.full(len(inside), values[cell] / len(inside)))
    return np.concatenate(points), np.concatenate(shares)


def _rounded(shares: Floats) -> Ints:
    """Return whole numbers with the same sum, give or take a half."""
    return np.diff(np.concatenate([[0.0], np.round(np.cumsum(shares))])).astype(np.int64)


def _named(feature: Feature, bins: CategoryBins, onto: CategoryBins) -> Ints:
    counts = feature.reference_counts
    found = np.zeros(onto.size, np.int64)
    names = len(bins.names)
    cells = onto.digitize(Column(np.array(bins.names, dtype=object)))[0] if names else np.empty(0, np.int64)
    np.add.at(found, cells, counts[:names])
    if bins.buckets and onto.buckets:
        found[len(onto.names) : len(onto.names) + onto.buckets] += counts[names : names + bins.buckets]
    else:
        found[-2] += counts[names : names + bins.buckets].sum()
    found[-2:] += counts[-2:]
    return found
