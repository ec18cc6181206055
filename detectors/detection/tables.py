"""A profile compiled for detection: for each family, the alternatives of its features in flat arrays.

`monitor` builds the tables once per profile and settings. Increments are computed from integers in fixed point, so
every replica gets the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..batch import Bools, Floats, Ints
from ..binning.losses import LossBins, tested_bins
from ..binning.probabilities import shrunken_probabilities, smoothed_probabilities
from ..errors import ProfileError
from ..evalues.bank import LikelihoodRatioBank, build_bank
from ..evalues.bounds import (
    CONFIDENCE_GRID,
    FRACTION_BITS,
    can_show_drift,
    fixed_point_bounds,
    log_inverse_risk_of,
    log_reference_evidence,
)
from ..profile.feature import Feature
from ..profile.profile import Profile
from ..profile.slots import SLOT_SECONDS, SLOTS, slot_of
from ..settings import FAMILY_SHARES, DriftSettings
from .shared_causes import SharedCauses

PREPARED_PER_TICK = 2  # features whose next slot is compiled in one tick; an hour has 60 ticks of a minute
LONGEST_HOLD_DAYS = 3  # limit of `reopen_ticks`, however long the reference is
EXACT = 2.0**53  # float64 represents all integers up to it


@dataclass(frozen=True)
class CompiledBank:
    """The alternatives of a feature, with their bounds.

    Attributes:
        log_h: fixed point [alternatives, bins].
        log_u: fixed point [confidence levels, alternatives]; float64 that holds integers.
        p: [bins] the reference probabilities that the alternatives were made from.
        can_show_drift: [alternatives] which alternatives can gain evidence; the others keep their evidence unchanged.
    """

    log_h: NDArray[np.int32]
    log_u: Floats
    p: Floats
    can_show_drift: Bools

    @classmethod
    def of(
        cls,
        bank: LikelihoodRatioBank,
        p: Floats,
        calibration: Ints,
        variance_inflation: Floats,
        log_inverse_risk: float,
        tolerance: float,
    ) -> CompiledBank:
        """Compile a bank with the bounds that `calibration` [bins] gives it.

        The other arguments are those of `evalues.bounds.fixed_point_bounds`.
        """
        bound = fixed_point_bounds(bank, p, calibration, variance_inflation, log_inverse_risk, tolerance)
        upper = np.exp(bound.log_u[-1] / 2**FRACTION_BITS)
        log_u = bound.log_u.astype(np.float64)
        return cls(bound.log_h.astype(np.int32), log_u, p, can_show_drift(bank.h, upper))

    def h(self, alternative: int) -> Floats:
        """Return the rounded likelihood ratio [bins] of one alternative."""
        out: Floats = np.exp(self.log_h[alternative] / 2**FRACTION_BITS)
        return out

    def upper(self, alternative: int) -> float:
        """Return the lowest bound of one alternative."""
        return float(np.exp(self.log_u[0, alternative] / 2**FRACTION_BITS))

    def excess(self, counts: Ints) -> Floats:
        """Return the sum over rows of h over its lowest bound, for `counts` [bins]: [alternatives]."""
        out: Floats = np.exp((self.log_h - self.log_u[0][:, None]) / 2**FRACTION_BITS) @ counts
        return out

    def exact_sums(self, counts: Ints) -> Floats:
        """Return sum c log h - n log U: [confidence levels, alternatives].

        The sums are exact: in float64 as long as it can represent them, else in integers.
        """
        rows = int(counts.sum())
        if rows * 2.0 ** (FRACTION_BITS + 5) < EXACT:
            out: Floats = self.log_h.astype(np.float64) @ counts.astype(np.float64) - rows * self.log_u
            return out
        exact = self.log_h.astype(object) @ counts.astype(object)
        return np.array(exact - rows * self.log_u.astype(np.int64).astype(object), dtype=np.float64)


@dataclass(frozen=True)
class FeatureTable:
    """The alternatives of one feature within its family.

    Attributes:
        bin_slice: position of the tested bins in a flat counts array.
        alternatives: position of the alternatives in the family's arrays.
        variance_inflation: v [alternatives].
        log_reference_evidence: log k [confidence levels].
        log_inverse_risk: L of the last confidence level.
        tolerance: chi-square distance that counts as no drift.
        tick_seconds: width of a live tick if the feature has slots, else None.
    """

    feature: Feature
    bin_slice: slice
    alternatives: slice
    variance_inflation: Floats
    log_reference_evidence: Floats
    log_inverse_risk: float
    tolerance: float
    tick_seconds: float | None
    _compiled: dict[int | None, CompiledBank] = field(default_factory=dict)

    def at(self, tick: int) -> CompiledBank:
        """Return the alternatives at a tick. A slot is compiled when it is first needed, because it is large."""
        slot = None if self.tick_seconds is None else slot_of(tick, self.tick_seconds)
        if slot not in self._compiled:
            self._compiled[slot] = self._compile(slot)
        return self._compiled[slot]

    def prepare_next_slot(self, tick: int) -> bool:
        """Compile the slot after a tick's slot; return whether there was anything to compile."""
        slot = None if self.tick_seconds is None else slot_of(tick, self.tick_seconds)
        if slot is None or (slot + 1) % SLOTS in self._compiled:
            return False
        self._compiled[(slot + 1) % SLOTS] = self._compile((slot + 1) % SLOTS)
        return True

    def in_one_slot(self, first: int, last: int) -> bool:
        """Return whether the alternatives are the same from one tick to another."""
        if self.tick_seconds is None:
            return True
        ends = slot_of(first, self.tick_seconds), slot_of(last, self.tick_seconds)
        return ends[0] == ends[1] and (last - first) * self.tick_seconds <= SLOT_SECONDS

    def _compile(self, slot: int | None) -> CompiledBank:
        feature, slots, looked_at = self.feature, self.feature.slots, tested_bins(self.feature.bins)
        p, training, calibration = (
            smoothed_probabilities(feature.training[looked_at]),
            None,
            feature.calibration[looked_at],
        )
        variance_inflation = self.variance_inflation
        if slot is not None and slots is not None:
            training, calibration = slots.training[slot], slots.calibration[slot]
            p, variance_inflation = shrunken_probabilities(training, p), slots.bound_variance_inflation
        bank = build_bank(feature.bins, feature.training, self.tolerance, training)
        return CompiledBank.of(
            bank.restricted_to(looked_at), p, calibration, variance_inflation, self.log_inverse_risk, self.tolerance
        )


@dataclass(frozen=True)
class FamilyTable:
    """The features that share one part of the false-alarm budget.

    Attributes:
        share: the part.
        threshold: A over the share: ticks per false alarm of this family alone.
        starts: [features] position of each feature's first alternative.
        log_weights: [alternatives] log of the prior weight within the feature.
        log_reference_evidence: [confidence levels, alternatives] log k of each feature.
        rows_per_tick: reference rows per live tick; None if evidence is not scaled to live traffic.
        prediction_traffic: for losses, whose labels arrive late: the bins of their predictions in a flat counts array,
            and the reference rows of these per live tick.
        reopen_ticks: ticks after its recovery in which a feature's drift belongs to the old episode.
    """

    name: str
    profile_hash: str
    share: float
    threshold: float
    features: tuple[FeatureTable, ...]
    starts: Ints
    log_weights: Floats
    log_reference_evidence: Floats
    rows_per_tick: float | None
    prediction_traffic: tuple[slice, float] | None
    reopen_ticks: int

    @property
    def size(self) -> int:
        return len(self.log_weights)

    @property
    def log_threshold(self) -> float:
        return float(np.log(self.threshold))

    def density(self, bin_counts: Ints) -> float | None:
        """Return the rows of the largest feature over those of a reference tick."""
        rows = max(int(bin_counts[table.bin_slice].sum()) for table in self.features)
        return None if self.rows_per_tick is None else rows / self.rows_per_tick

    def live_variance_inflation(self, rows: int, bin_counts: Ints) -> float:
        """Return the factor by which a tick with more rows than a reference tick increases v.

        Slow effects grow with traffic.

        Args:
            rows: rows of the feature in the tick.
            bin_counts: flat counts of the tick. For losses, they give the density of the traffic that the labels belong
                to.
        """
        if self.rows_per_tick is None:
            return 1.0
        dense = (
            1.0
            if self.prediction_traffic is None
            else float(bin_counts[self.prediction_traffic[0]].sum()) / self.prediction_traffic[1]
        )
        return max(1.0, rows / self.rows_per_tick, dense)

    def increments(self, tick: int, bin_counts: Ints) -> tuple[Floats, Bools]:
        """Return L [confidence levels, alternatives] of a tick, and which alternatives have rows.

        `bin_counts` are the flat counts of the tick.
        """
        steps = np.zeros((len(CONFIDENCE_GRID), self.size))
        active = np.zeros(self.size, dtype=bool)
        for table in self.features:
            counts = bin_counts[table.bin_slice]
            rows = int(counts.sum())
            if rows:
                scale = 2.0**FRACTION_BITS * self.live_variance_inflation(rows, bin_counts)
                alternatives = table.at(tick)
                steps[:, table.alternatives] = alternatives.exact_sums(counts) / (table.variance_inflation * scale)
                active[table.alternatives] = alternatives.can_show_drift
        return steps, active

    def prepare_next_slot(self, tick: int) -> None:
        """Compile the next slot of a few features, so that no single tick at the turn of the hour is slow."""
        made = 0
        for table in self.features:
            made += table.prepare_next_slot(tick)
            if made >= PREPARED_PER_TICK:
                return

    def weighted(self, log_r: Floats, some: slice = slice(None)) -> Floats:
        """Return the log of each alternative's part of its feature's evidence.

        `log_r` is [confidence levels, alternatives].
        """
        out: Floats = (log_r[:, some] + self.log_reference_evidence[:, some]).min(axis=0) + self.log_weights[some]
        return out

    def by_feature(self, log_r: Floats) -> Floats:
        """Return the log evidence of each feature [features], from log R [confidence levels, alternatives]."""
        out: Floats = np.logaddexp.reduceat(self.weighted(log_r), self.starts)
        return out


def family_tables(profile: Profile, settings: DriftSettings) -> tuple[FamilyTable, ...]:
    """Return the families that the profile has features for; their shares of the budget sum to one."""
    left_out = _ignored(profile, settings)
    watched = {
        family: [f for f in profile.features if f.family == family and f.watched and f.name not in left_out]
        for family in FAMILY_SHARES
    }
    present = {family: features for family, features in watched.items() if features}
    total = sum(FAMILY_SHARES[family] for family in present)
    return tuple(_family(profile, settings, name, present[name], FAMILY_SHARES[name] / total) for name in present)


def _ignored(profile: Profile, settings: DriftSettings) -> set[str]:
    """Return the features that raise no alarm: ignored ones, and all features that an ignored column enters.

    These are the features that describe the column, its residual, its partners' residuals, and features of all columns.
    """
    columns = frozenset(settings.ignore).intersection(profile.input_columns)
    shared_causes = SharedCauses.of(profile)
    described = {name for name, made in profile.column_transforms.items() if made.column in settings.ignore}
    joint = {
        name for name, causes in shared_causes.affected_by.items() if shared_causes.concerns.get(name, causes) & columns
    }
    return {*settings.ignore, *described, *joint}


def _family(profile: Profile, settings: DriftSettings, name: str, features: list[Feature], share: float) -> FamilyTable:
    tables: list[FeatureTable] = []
    weights: list[Floats] = []
    start = 0
    for feature in features:
        tolerance = _tolerance(settings, feature)
        bank = build_bank(feature.bins, feature.training, tolerance)
        if len(bank.groups) != len(feature.variance_inflation):
            raise ProfileError(
                f"feature {feature.name!r} has {len(feature.variance_inflation)} variance inflations for "
                f"{len(bank.groups)} alternatives; build the profile with this version of pilotfish"
            )
        alternatives = slice(start, start + len(bank.groups))
        tables.append(_feature(profile, settings, feature, alternatives, tolerance))
        weights.append(np.log(bank.weights))
        start = alternatives.stop
    return FamilyTable(
        name=name,
        profile_hash=profile.hash,
        share=share,
        threshold=settings.ticks_per_false_alarm / share,
        features=tuple(tables),
        starts=np.array([table.alternatives.start for table in tables], dtype=np.int64),
        log_weights=np.concatenate(weights),
        log_reference_evidence=np.concatenate(
            [np.repeat(t.log_reference_evidence[:, None], len(t.variance_inflation), axis=1) for t in tables], axis=1
        ),
        rows_per_tick=_live_rows(profile, settings) if name != "performance" else _labels_per_tick(profile),
        prediction_traffic=_traffic(profile, settings) if name == "performance" else None,
        reopen_ticks=max(
            min(_live_ticks(profile, settings), LONGEST_HOLD_DAYS * settings.day_ticks), settings.day_ticks
        ),
    )


def _feature(
    profile: Profile, settings: DriftSettings, feature: Feature, alternatives: slice, tolerance: float
) -> FeatureTable:
    by_slot = feature.slots is not None and settings.tick_seconds <= SLOT_SECONDS
    variance_inflation = (
        feature.slots.variance_inflation if feature.slots is not None and by_slot else feature.variance_inflation
    )
    slots = SLOTS if by_slot else 1
    log_inverse_risk = log_inverse_risk_of(sum(len(one.variance_inflation) for one in profile.features), slots)
    tick_seconds = settings.tick_seconds if by_slot else None
    bin_slice = _bin_slice(profile, feature)
    made = FeatureTable(
        feature,
        bin_slice,
        alternatives,
        variance_inflation,
        log_reference_evidence(log_inverse_risk, slots),
        log_inverse_risk,
        tolerance,
        tick_seconds,
    )
    if not by_slot:
        made.at(0)  # compile now, not in the first tick
    return made


def _bin_slice(profile: Profile, feature: Feature) -> slice:
    """Return the position of a feature's tested bins in a flat counts array."""
    first = int(profile.offsets[profile.index[feature.name]])
    looked_at = range(feature.bins.size)[tested_bins(feature.bins)]
    return slice(first + looked_at.start, first + looked_at.stop)


def _tolerance(settings: DriftSettings, feature: Feature) -> float:
    if isinstance(feature.bins, LossBins):
        return settings.loss_tolerance
    return settings.feature_tolerance.get(feature.name, settings.tolerance)


def _labels_per_tick(profile: Profile) -> float | None:
    """Return the labels per tick above which evidence is scaled down.

    Labels that arrive together cover consecutive rows, the case for which variance inflation was measured.
    """
    return None if profile.performance is None else profile.performance.rows_at_once


def _traffic(profile: Profile, settings: DriftSettings) -> tuple[slice, float] | None:
    """Return the bins of the predictions that labels belong to, and their reference rows per live tick.

    None if they are unknown.
    """
    usual = _live_rows(profile, settings)
    if usual is None or profile.performance is None or profile.performance.prediction not in profile.index:
        return None
    return _bin_slice(profile, profile.feature(profile.performance.prediction)), usual


def _live_ticks(profile: Profile, settings: DriftSettings) -> int:
    """Return the longest block of the reference, in live ticks."""
    reference = profile.reference
    scale = 1.0 if reference.tick_seconds is None else reference.tick_seconds / settings.tick_seconds
    return round(reference.longest_block * scale)


def _live_rows(profile: Profile, settings: DriftSettings) -> float | None:
    """Return the reference rows in a tick as wide as a live one."""
    reference = profile.reference
    if reference.rows_per_tick is None or reference.tick_seconds is None:
        return reference.rows_per_tick
    return reference.rows_per_tick * settings.tick_seconds / reference.tick_seconds
