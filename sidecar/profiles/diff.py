"""Compares two profiles: added and removed features, and the PSI between the references of common features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...detectors.batch import Column, Floats, Ints
from ...detectors.binning.categories import CategoryBins
from ...detectors.binning.numeric import NumericBins
from ...detectors.comparisons.psi import psi
from ...detectors.comparisons.score import Score
from ...detectors.comparisons.tenths import tenths
from ...detectors.profile.feature import Feature
from ...detectors.profile.profile import Profile
from ...detectors.transforms import to_document
from ...detectors.transforms.loss import LossTransform
from .sparkline import cumulative

MOST_POINTS = 1000  # distinct integers that one bin is divided into


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """A feature of both profiles. `psi` is None if the types differ; `missing` is the ratio (before, after)."""

    before: Feature
    after: Feature
    psi: Score | None
    missing: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ProfileDiff:
    """The features of both profiles by descending PSI, and those of the second and of the first only.

    The `incomparable` features have the same name in both profiles and measure different things: residuals, cosines and
    distances that were fitted to other rows, coordinates along other directions, losses on another scale.
    """

    moved: tuple[FeatureChange, ...]
    incomparable: tuple[Feature, ...]
    added: tuple[Feature, ...]
    removed: tuple[Feature, ...]


def difference(before: Profile, after: Profile) -> ProfileDiff:
    """Return the difference from `before` to `after`."""
    common = [feature for feature in before.features if feature.watched and feature.name in after.index]
    alike = [feature for feature in common if _definition(before, feature.name) == _definition(after, feature.name)]
    moved = [_moved(feature, after.feature(feature.name)) for feature in alike]
    moved.sort(key=lambda item: -(item.psi.value if item.psi else np.inf))
    return ProfileDiff(
        tuple(moved),
        tuple(feature for feature in common if feature.name not in {item.name for item in alike}),
        tuple(feature for feature in after.features if feature.name not in before.index),
        tuple(feature for feature in before.features if feature.name not in after.index),
    )


def _definition(profile: Profile, name: str) -> object:
    """Return what determines the values of a feature, beside the columns; None for a column's own values."""
    if name not in profile.derived:
        return None
    made = profile.column_transforms.get(name)
    if made is not None:
        return made.column, made.kind, made.definition(name)
    (found,) = (transform for transform in profile.transforms if name in transform.outputs)
    if isinstance(found, LossTransform):
        return found.prediction, found.label, found.loss.task, found.loss.document()
    return to_document(found)


def rebinned(feature: Feature, onto: Feature) -> Ints | None:
    """Return the reference counts of `feature` in the bins of `onto`; None for a number against a category.

    The result is exact for categories and for values with a bin of their own. Other values are assumed to be spread
    evenly within their bin.
    """
    if isinstance(feature.bins, NumericBins) and isinstance(onto.bins, NumericBins):
        return _numeric(feature, feature.bins, onto.bins)
    if isinstance(feature.bins, CategoryBins) and isinstance(onto.bins, CategoryBins):
        return _named(feature, feature.bins, onto.bins)
    return None


def missing_ratio(feature: Feature) -> float:
    """Return the share of missing values in the reference."""
    return float(feature.reference_counts[-1] / max(1, feature.reference_counts.sum()))


def _moved(before: Feature, after: Feature) -> FeatureChange:
    counts = rebinned(after, before)
    score = None if counts is None else _psi(before, counts)
    return FeatureChange(before, after, score, (missing_ratio(before), missing_ratio(after)))


def _psi(before: Feature, counts: Ints) -> Score:
    """Return PSI on tenths of the values, as everywhere; finer bins would suffer from the error of rebinning."""
    reference = before.reference_counts
    starts = tenths(before.bins, reference, open_ended=True)
    reference, counts = np.add.reduceat(reference, starts), np.add.reduceat(counts, starts)
    return psi(reference, counts, np.zeros(len(counts)))


def _numeric(feature: Feature, bins: NumericBins, onto: NumericBins) -> Ints:
    counts = feature.reference_counts
    found = np.zeros(onto.size, np.int64)
    found[-1] = counts[-1]
    found[[0, -2]] += counts[[0, -2]]  # infinite values
    for bin_, at in ((1, bins.cuts[0]), (2, bins.cuts[1]), (-4, bins.cuts[-2]), (-3, bins.cuts[-1])):
        inside = (
            np.nextafter(at, -np.inf) if bin_ in {1, 2} else at
        )  # the value of the bin that is nearest to the range
        found[onto.digitize(Column(np.array([inside])))[0]] += counts[bin_]
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
    """Return (values, rows per value): atoms, and integers that share the rows of their bin evenly."""
    points: list[Floats] = []
    shares: list[Floats] = []
    for bin_, (low, high, atom) in enumerate(zip(bins.cuts[1:-2], bins.cuts[2:-1], bins.atoms, strict=True)):
        inside = np.array([atom])
        if np.isnan(atom):
            step = max(1.0, np.ceil((high - low) / MOST_POINTS))
            inside = np.arange(np.ceil(low), high, step)
        inside = inside if len(inside) else np.array([(low + high) / 2])
        points.append(inside)
        shares.append(np.full(len(inside), values[bin_] / len(inside)))
    return np.concatenate(points), np.concatenate(shares)


def _rounded(shares: Floats) -> Ints:
    """Round to integers with the same sum, up to one half."""
    return np.diff(np.concatenate([[0.0], np.round(np.cumsum(shares))])).astype(np.int64)


def _named(feature: Feature, bins: CategoryBins, onto: CategoryBins) -> Ints:
    counts = feature.reference_counts
    found = np.zeros(onto.size, np.int64)
    names = len(bins.names)
    bins_onto = onto.digitize(Column(np.array(bins.names, dtype=object)))[0] if names else np.empty(0, np.int64)
    np.add.at(found, bins_onto, counts[:names])
    if bins.buckets and onto.buckets:
        found[len(onto.names) : len(onto.names) + onto.buckets] += counts[names : names + bins.buckets]
    else:
        found[-2] += counts[names : names + bins.buckets].sum()
    found[-2:] += counts[-2:]
    return found
