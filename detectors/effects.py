"""Effect sizes: how large a change is, for people. Alarms never come from here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.bank import normal_scores, smoothed
from pilotfish.detectors.batch import Floats, Ints
from pilotfish.detectors.comparisons import COMPARISONS
from pilotfish.detectors.comparisons.score import Score
from pilotfish.detectors.history import Piece
from pilotfish.detectors.profile import Feature, Profile


@dataclass(frozen=True)
class EffectSizes:
    """One feature over the closed ticks `first_tick` to `last_tick`, against the whole reference.

    Attributes:
        wasserstein, ks: None for categories, which have no order. Wasserstein is in reference sd.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        missing_ratio_reference: the share of missing values in the reference.
        mismatches: values of another type than the feature's.
    """

    first_tick: int
    last_tick: int
    rows: int
    psi: Score
    jensen_shannon: Score
    chi_square: Score
    wasserstein: Score | None
    ks: Score | None
    missing_ratio: float
    missing_ratio_reference: float
    unseen_ratio: float
    out_of_range_ratio: float
    mismatches: int


def effect_sizes(profile: Profile, name: str, piece: Piece) -> EffectSizes | None:
    """Effect sizes of a feature over a stretch of history; None if it had no rows there."""
    feature = profile.feature(name)
    counts = piece.counts.of(profile, name)
    rows = int(counts.sum())
    if rows == 0:
        return None
    positions = positions_of(feature)
    ordered = feature.kind not in {"boolean", "categorical"}
    reference = feature.reference_counts
    scores = {
        key: compare(reference, counts, positions)
        for key, compare in COMPARISONS.items()
        if ordered or key not in {"ks", "wasserstein"}
    }
    roles = np.array(feature.roles)

    def share(of: Ints, *wanted: str) -> float:
        return float(of[np.isin(roles, wanted)].sum() / max(int(of.sum()), 1))

    return EffectSizes(
        first_tick=piece.first,
        last_tick=piece.last,
        rows=rows,
        psi=scores["psi"],
        jensen_shannon=scores["jensen_shannon"],
        chi_square=scores["chi_square"],
        wasserstein=scores.get("wasserstein"),
        ks=scores.get("ks"),
        missing_ratio=share(counts, "missing"),
        missing_ratio_reference=share(reference, "missing"),
        unseen_ratio=share(counts, "unseen"),
        out_of_range_ratio=share(counts, "below", "above", "far", "inf"),
        mismatches=int(piece.counts.mismatches[profile.index[name]]),
    )


def positions_of(feature: Feature) -> Floats:
    """[cells] where cells lie, in reference sd; infinities with the outermost, missing values with the last."""
    scores = normal_scores(smoothed(feature.reference_counts), np.array(feature.roles))
    outermost = ~np.isin(feature.roles, ["inf", "missing"])
    low, high = float(scores[outermost].min()), float(scores[outermost].max())
    first_half = np.arange(len(scores)) < len(scores) / 2
    placed = np.where(outermost, scores, np.where(first_half, low, high))
    out: Floats = np.maximum.accumulate(placed)
    return out
