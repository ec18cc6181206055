"""Effect sizes: how large a change is, for people.

`detection.monitor` reports them for each feature, and the report draws them. Alarms never depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Floats, Ints
from ..binning.probabilities import normal_scores, smoothed_probabilities
from ..profile.feature import Feature
from ..profile.slots import slot_shares
from . import COMPARISONS
from .score import Score

OUTSIDE = ("above", "below", "far", "inf")  # roles of the bins beyond the reference range
WITHOUT_ORDER = frozenset({"chi_square", "jensen_shannon", "psi"})


@dataclass(frozen=True)
class EffectSizes:
    """One feature over the closed ticks `first_tick` to `last_tick`, compared with the reference.

    For a feature with slots, the reference is a mixture of its hours in the proportions of these ticks.

    Attributes:
        wasserstein, ks: None for categories, which have no order. Wasserstein is in reference standard deviations.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        missing_ratio_reference: share of missing values in the reference.
        mismatches: values whose type differs from the feature's type.
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


@dataclass(frozen=True)
class EffectSizeEstimator:
    """A measurement of the effect sizes of one feature.

    Attributes:
        reference: counts [bins] of the whole reference.
        by_slot: counts [SLOTS, bins] of the reference hour by hour; None if hours are not compared separately.
        design_effect: as in `profile.feature.Feature`; it widens the intervals.
        tick_seconds: width of a tick; 0 if ticks have no hour.
        positions: [bins] of `positions_of`.
        ordered: whether the bins have an order.
        missing, unseen, outside: [bins] masks by role.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.effects import EffectSizeEstimator
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> profile = build_profile({"city": ["Rome"] * 300 + ["Bern"] * 100}, exchangeable=True)
        >>> estimator = EffectSizeEstimator.of(profile.feature("city"))
        >>> found = estimator.measure(np.array([50, 40, 10, 0]), mismatches=0, first_tick=0, last_tick=9)
        >>> found.rows, found.unseen_ratio, found.psi.low > 0.05
        (100, 0.1, True)
    """

    reference: Ints
    by_slot: Ints | None
    design_effect: float
    tick_seconds: float
    positions: Floats
    ordered: bool
    missing: Bools
    unseen: Bools
    outside: Bools

    @classmethod
    def of(cls, feature: Feature, tick_seconds: float = 0.0) -> EffectSizeEstimator:
        """Return the estimator of a feature. `tick_seconds` is 0 if ticks are not counted from the epoch."""
        roles = np.array(feature.roles)
        return cls(
            reference=feature.reference_counts,
            by_slot=None if feature.slots is None else feature.slots.training + feature.slots.calibration,
            design_effect=feature.design_effect,
            tick_seconds=tick_seconds,
            positions=positions_of(feature),
            ordered=hasattr(feature.bins, "cuts"),
            missing=roles == "missing",
            unseen=roles == "unseen",
            outside=np.isin(roles, OUTSIDE),
        )

    def measure(self, counts: Ints, mismatches: int, first_tick: int, last_tick: int) -> EffectSizes | None:
        """Return the effect sizes for the counts [bins] of some ticks; None without rows."""
        rows = int(counts.sum())
        if rows == 0:
            return None
        reference = self.reference_over(first_tick, last_tick)
        scores = {
            name: compare(reference, counts, self.positions, self.design_effect)
            for name, compare in COMPARISONS.items()
            if self.ordered or name in WITHOUT_ORDER
        }
        return EffectSizes(
            first_tick=first_tick,
            last_tick=last_tick,
            rows=rows,
            psi=scores["psi"],
            jensen_shannon=scores["jensen_shannon"],
            chi_square=scores["chi_square"],
            wasserstein=scores.get("wasserstein"),
            ks=scores.get("ks"),
            missing_ratio=_share(counts, self.missing),
            missing_ratio_reference=_share(reference, self.missing),
            unseen_ratio=_share(counts, self.unseen),
            out_of_range_ratio=_share(counts, self.outside),
            mismatches=mismatches,
        )

    def reference_over(self, first_tick: int, last_tick: int) -> Ints:
        """Return the reference counts [bins] for some ticks: with slots, mixed in the proportions of their hours."""
        if self.by_slot is None or not self.tick_seconds:
            return self.reference
        shares = slot_shares(first_tick, last_tick, self.tick_seconds)
        if shares is None:
            return self.reference
        rows = self.by_slot.sum(axis=1)
        used = (shares > 0) & (rows > 0)
        if not used.any():
            return self.reference
        size = float((rows[used] / shares[used]).min())  # no slot contributes more rows than it has
        wanted = (self.by_slot[used] * (size * shares[used] / rows[used])[:, None]).sum(axis=0)
        out: Ints = np.rint(wanted).astype(np.int64)
        return out


def _share(counts: Ints, of: Bools) -> float:
    return float(counts[of].sum() / max(int(counts.sum()), 1))


def positions_of(feature: Feature) -> Floats:
    """Return the position of each bin [bins] in reference standard deviations.

    Infinities have the position of the outermost bins, missing values that of the last bin.
    """
    scores = normal_scores(smoothed_probabilities(feature.reference_counts), np.array(feature.roles))
    outermost = ~np.isin(feature.roles, ["inf", "missing"])
    low, high = float(scores[outermost].min()), float(scores[outermost].max())
    first_half = np.arange(len(scores)) < len(scores) / 2
    placed = np.where(outermost, scores, np.where(first_half, low, high))
    out: Floats = np.maximum.accumulate(placed)
    return out
