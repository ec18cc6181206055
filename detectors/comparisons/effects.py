"""Effect sizes: how large a change is, for people.

`detection.monitor` reports them for each feature, and the report draws them. Alarms never depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Floats, Ints
from ..binning.numeric import NumericBins
from ..profile.feature import Feature
from ..profile.slots import Slots
from . import COMPARISONS
from .changes import Change, ShareMeasures, clearest_change
from .distribution import CoarseBins, CoarseDistribution
from .score import Score
from .tenths import tenths

OUTSIDE = ("above", "below", "far", "inf")  # roles of the bins beyond the reference range
WITHOUT_ORDER = ("chi_square", "jensen_shannon_distance", "psi")
LEAST_SD = 1e-15  # over the largest value: a smaller spread is rounding
GROUPED = ("jensen_shannon_distance", "psi")


@dataclass(frozen=True)
class EffectSizes:
    """One feature over the closed ticks `first_tick` to `last_tick`, compared with the reference.

    For a feature with slots, the reference is a mixture of them in the proportions of these ticks.

    Attributes:
        psi, jensen_shannon_distance: on tenths of the reference; see `tenths`.
        chi_square: on all bins, in the unit of the drift tolerance.
        wasserstein: of the finite values, in reference standard deviations; None for categories, for a constant
            reference, and without values.
        ks: of all values at the borders of the bins; None for categories, and without values.
        missing_ratio, unseen_ratio, out_of_range_ratio: shares of the rows.
        missing_ratio_reference: share of missing values in the reference.
        mismatches: values whose type differs from the feature's type.
        change: the change that is clearest against its noise; None if there is none.
    """

    first_tick: int
    last_tick: int
    rows: int
    psi: Score
    jensen_shannon_distance: Score
    chi_square: Score
    wasserstein: Score | None
    ks: Score | None
    missing_ratio: float
    missing_ratio_reference: float
    unseen_ratio: float
    out_of_range_ratio: float
    mismatches: int
    change: Change | None = None


@dataclass(frozen=True)
class PositionScale:
    """The positions of the bins of a number, in reference standard deviations from the reference mean.

    Attributes:
        reference: [bins] mean position of the reference rows; infinite for inf, NaN for missing.
        centre, sd: reference mean and standard deviation in the unit of the values; the sd of a constant is 0.
        ends: [2] positions of both ends of the range.
        units: [2] size of a step of `Counts.excess`.
        farthest: [2] least distance from the range in the bins far below and far above.
    """

    reference: Floats
    centre: float
    sd: float
    ends: Floats
    units: Floats
    farthest: Floats

    @classmethod
    def of(cls, bins: NumericBins, reference: Ints) -> PositionScale:
        """Return the scale of bins with the counts [bins] of the whole reference."""
        positions, cuts = bins.positions, bins.cuts
        finite = np.isfinite(positions)
        rows, at = reference[finite], positions[finite]
        size = float(np.abs(at).max()) or 1.0  # avoids overflow near the largest double
        p = rows / max(int(rows.sum()), 1)
        centre = float(p @ (at / size))
        sd = float(np.sqrt(p @ (at / size - centre) ** 2)) if bins.means is None else bins.spread / size
        sd = sd if sd > LEAST_SD else 0.0
        by = sd or 1.0
        return cls(
            reference=(positions / size - centre) / by,
            centre=centre * size,
            sd=sd * size,
            ends=(np.array([cuts[1], cuts[-2]]) / size - centre) / by,
            units=bins.excess_units / size / by,
            farthest=np.array([cuts[1] - cuts[0], cuts[-1] - cuts[-2]]) / size / by,
        )

    def current(self, counts: Ints, excess: Ints) -> Floats:
        """Return the positions [..., bins] of current rows, from counts [..., bins] and their excess [..., 2].

        Rows outside the range are at their mean. It is a lower bound if the excess of some of them is unknown, as in
        the checkpoints of earlier releases. In all other bins, the current rows have the positions of the reference.
        """
        out: Floats = np.broadcast_to(self.reference, counts.shape).copy()
        for side, (far, near) in enumerate(((1, 2), (-3, -4))):
            rows = counts[..., far] + counts[..., near]
            least = counts[..., far] * self.farthest[side]
            distance = np.maximum(excess[..., side] * self.units[side], least) / np.maximum(rows, 1)
            at = self.ends[side] + (distance if side else -distance)
            out[..., far] = np.where(rows > 0, at, out[..., far])
            out[..., near] = np.where(rows > 0, at, out[..., near])
        return out


@dataclass(frozen=True)
class EffectSizeEstimator:
    """A measurement of the effect sizes of one feature.

    Attributes:
        reference: counts [bins] of the whole reference.
        slots: the reference slot by slot; None if slots are not compared separately.
        design_effect: as in `profile.feature.Feature`; it widens the intervals.
        tick_seconds: width of a tick; 0 if ticks have no hour.
        groups: first bins of the groups of PSI and Jensen-Shannon.
        shares: the shares that a change can be about.
        scale: positions of numbers; None if the bins have no order.
        missing, unseen, outside: [bins] masks by role.
        coarse: the bins of `distribution`.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.effects import EffectSizeEstimator
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> profile = build_profile({"city": ["Rome"] * 300 + ["Bern"] * 100}, exchangeable=True)
        >>> estimator = EffectSizeEstimator.of(profile.feature("city"))
        >>> counts, excess = np.array([50, 40, 10, 0]), np.zeros(2, int)
        >>> found = estimator.measure(counts, excess, mismatches=0, first_tick=0, last_tick=9)
        >>> found.rows, found.unseen_ratio, found.psi.low > 0.05
        (100, 0.1, True)
    """

    reference: Ints
    slots: Slots | None
    design_effect: float
    tick_seconds: float
    groups: Mapping[str, Ints]
    shares: ShareMeasures
    scale: PositionScale | None
    missing: Bools
    unseen: Bools
    outside: Bools
    coarse: CoarseBins

    @classmethod
    def of(cls, feature: Feature, tick_seconds: float = 0.0) -> EffectSizeEstimator:
        """Return the estimator of a feature. `tick_seconds` is 0 if ticks are not counted from the epoch."""
        roles, counts = np.array(feature.roles), feature.reference_counts
        groups = {name: tenths(feature.bins, counts, open_ended=name == "psi") for name in GROUPED}
        return cls(
            reference=counts,
            slots=feature.slots,
            design_effect=feature.design_effect,
            tick_seconds=tick_seconds,
            groups=groups,
            shares=ShareMeasures.of(feature, groups["psi"]),
            scale=PositionScale.of(feature.bins, counts) if isinstance(feature.bins, NumericBins) else None,
            missing=roles == "missing",
            unseen=roles == "unseen",
            outside=np.isin(roles, OUTSIDE),
            coarse=CoarseBins.of(feature),
        )

    def measure(
        self, counts: Ints, excess: Ints, mismatches: int, first_tick: int, last_tick: int
    ) -> EffectSizes | None:
        """Return the effect sizes for the counts [bins] and the excess [2] of some ticks; None without rows."""
        rows = int(counts.sum())
        if rows == 0:
            return None
        reference = self.reference_over(first_tick, last_tick)
        scores = {name: self._score(name, reference, counts) for name in WITHOUT_ORDER}
        if self.scale is not None:
            scores |= self._ordered_scores(self.scale, reference, counts, excess)
        return EffectSizes(
            first_tick=first_tick,
            last_tick=last_tick,
            rows=rows,
            psi=scores["psi"],
            jensen_shannon_distance=scores["jensen_shannon_distance"],
            chi_square=scores["chi_square"],
            wasserstein=scores.get("wasserstein"),
            ks=scores.get("ks"),
            missing_ratio=_share(counts, self.missing),
            missing_ratio_reference=_share(reference, self.missing),
            unseen_ratio=_share(counts, self.unseen),
            out_of_range_ratio=_share(counts, self.outside),
            mismatches=mismatches,
            change=self._change(reference, counts, excess),
        )

    def distribution(self, counts: Ints, first_tick: int, last_tick: int) -> CoarseDistribution | None:
        """Return the distribution of the counts [bins] of some ticks beside the reference; None without rows."""
        return self.coarse.distribution(self.reference_over(first_tick, last_tick), counts) if counts.any() else None

    def grouped(self, name: str, counts: Ints) -> Ints:
        """Return counts [..., bins] in the bins of a comparison."""
        starts = self.groups.get(name)
        return counts if starts is None else np.add.reduceat(counts, starts, axis=-1)

    def _change(self, reference: Ints, counts: Ints, excess: Ints) -> Change | None:
        """Return the clearest change."""
        if not reference.any():
            return None
        if self.scale is None:
            return clearest_change(self.shares, reference, counts, (0.0, 0.0), None)
        at = np.stack([self.scale.reference, self.scale.current(counts, excess)])
        with np.errstate(over="ignore"):
            used = np.isfinite(at[0]) & (reference > 0)
            mean = float(reference[used] @ at[0][used] / max(int(reference[used].sum()), 1)) if used.any() else 0.0
            unit = (self.scale.centre + mean * (self.scale.sd or 1.0), self.scale.sd)
        return clearest_change(self.shares, reference, counts, unit, at)

    def _score(self, name: str, reference: Ints, counts: Ints) -> Score:
        of_reference, current = self.grouped(name, reference), self.grouped(name, counts)
        return COMPARISONS[name](of_reference, current, np.zeros(len(current)), self.design_effect)

    def _ordered_scores(
        self, scale: PositionScale, reference: Ints, counts: Ints, excess: Ints
    ) -> Iterator[tuple[str, Score]]:
        """Yield the scores of ordered bins, where there are values to order."""
        positions = np.stack([scale.reference, scale.current(counts, excess)])
        places = {"ks": ~self.missing, "wasserstein": np.isfinite(scale.reference)}
        for name, used in places.items():
            if reference[used].any() and counts[used].any() and (name == "ks" or scale.sd > 0):
                yield name, COMPARISONS[name](reference, counts, positions, self.design_effect)

    def reference_over(self, first_tick: int, last_tick: int) -> Ints:
        """Return the reference counts [bins] for some ticks: with slots, mixed in the proportions of the ticks."""
        slots = self.slots
        if slots is None or not self.tick_seconds or not slots.resolved(self.tick_seconds):
            return self.reference
        shares = slots.shares(first_tick, last_tick, self.tick_seconds)
        by_slot = slots.training + slots.calibration
        rows = by_slot.sum(axis=1)
        used = (shares > 0) & (rows > 0)
        if not used.any():
            return self.reference
        size = float((rows[used] / shares[used]).min())  # no slot contributes more rows than it has
        wanted = (by_slot[used] * (size * shares[used] / rows[used])[:, None]).sum(axis=0)
        out: Ints = np.rint(wanted).astype(np.int64)
        return out


def _share(counts: Ints, of: Bools) -> float:
    return float(counts[of].sum() / max(int(counts.sum()), 1))
