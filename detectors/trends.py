"""How a feature went from window to window: what the time line of a report is drawn from; no alarm comes from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.batch import Bools, Floats, Ints
from pilotfish.detectors.comparisons.psi import psi_each
from pilotfish.detectors.effects import OUTSIDE, positions_of
from pilotfish.detectors.profile import Feature, Profile
from pilotfish.detectors.windows import Window


@dataclass(frozen=True)
class Trend:
    """One feature over n windows, oldest first; all [n], NaN where a window has no rows of it.

    Attributes:
        psi, psi_low, psi_high: against the whole reference, with a 95 % interval.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        mean: where the rows lie on average, in reference sd from the reference's own mean; None without an order.
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


def trends(profile: Profile, windows: Sequence[Window]) -> Iterator[Trend]:
    """The trend of each feature over windows of the profile, in the order of the features."""
    for position, feature in enumerate(profile.features):
        first, last = profile.offsets[position], profile.offsets[position + 1]
        counts = np.array([window.cells[first:last] for window in windows], np.int64)
        yield _trend(feature, counts.reshape(len(windows), last - first))


def _trend(feature: Feature, counts: Ints) -> Trend:
    """`counts` is [n, cells]."""
    roles, rows = np.array(feature.roles), counts.sum(-1)
    value, low, high = psi_each(feature.reference_counts, counts) if len(counts) else (np.zeros(0),) * 3
    return Trend(
        feature=feature,
        rows=rows,
        psi=value,
        psi_low=low,
        psi_high=high,
        missing_ratio=_shares(counts, rows, roles == "missing"),
        unseen_ratio=_shares(counts, rows, roles == "unseen"),
        out_of_range_ratio=_shares(counts, rows, np.isin(roles, OUTSIDE)),
        mean=_means(feature, counts) if hasattr(feature.bins, "cuts") else None,
    )


def _shares(counts: Ints, rows: Ints, of: Bools) -> Floats:
    return np.where(rows > 0, counts[:, of].sum(-1) / np.maximum(rows, 1), np.nan)


def _means(feature: Feature, counts: Ints) -> Floats:
    positions, present = positions_of(feature), np.array(feature.roles) != "missing"

    def mean(of: Ints) -> Floats:
        rows = of[..., present].sum(-1)
        return np.where(rows > 0, of[..., present] @ positions[present] / np.maximum(rows, 1), np.nan)

    return mean(counts) - np.nan_to_num(mean(feature.reference_counts))
