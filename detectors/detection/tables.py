"""The tables of detection: for each family, the alternatives of its features in flat arrays.

`family_tables` builds the tables, once per profile and settings. `family` computes the increments of each tick with
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..batch import Bools, Floats, Ints
from ..binning.losses import tested_bins
from ..binning.probabilities import shrunken_probabilities, smoothed_probabilities
from ..evalues.bank import build_bank
from ..evalues.bounds import CONFIDENCE_GRID, FRACTION_BITS
from ..profile.feature import Feature
from ..profile.slots import MOST_COMPILED
from .compiled_bank import CompiledBank

PREPARED_PER_TICK = 2  # features whose next slot is compiled in one tick; an hour has 60 ticks of a minute


@dataclass(frozen=True)
class FeatureTable:
    """The alternatives of one feature within its family.

    Attributes:
        bin_slice: position of the tested bins in a flat counts array.
        alternatives: position of the alternatives in the family's arrays.
        variance_inflation: v [alternatives].
        inflation_growth: [alternatives] what v gains for each time that a tick holds the rows of a reference tick once
            more.
        log_reference_evidence: log k [confidence levels].
        log_inverse_risk: L of the last confidence level.
        tolerance: chi-square distance that counts as no drift.
        tick_seconds: width of a live tick if the feature has slots, else None.
    """

    feature: Feature
    bin_slice: slice
    alternatives: slice
    variance_inflation: Floats
    inflation_growth: Floats
    log_reference_evidence: Floats
    log_inverse_risk: float
    tolerance: float
    tick_seconds: float | None
    _compiled: dict[int | None, CompiledBank] = field(default_factory=dict)

    def at(self, tick: int) -> CompiledBank:
        """Return the alternatives at a tick."""
        return self._at_slot(self._slot(tick))

    def prepare_next_slot(self, tick: int) -> bool:
        """Compile the slot after a tick's slot; return whether there was anything to compile."""
        slot, slots = self._slot(tick), self.feature.slots
        if slot is None or slots is None or (slot + 1) % slots.kind.count in self._compiled:
            return False
        self._at_slot((slot + 1) % slots.kind.count)
        return True

    def in_one_slot(self, first: int, last: int) -> bool:
        """Return whether the alternatives are the same from one tick to another."""
        slots = self.feature.slots
        if self.tick_seconds is None or slots is None:
            return True
        return self._slot(first) == self._slot(last) and (last - first) * self.tick_seconds <= slots.kind.seconds

    def live_variance_inflation(self, density: float) -> Floats:
        """Return v [alternatives] of a tick with `density` times the rows of a reference tick."""
        return self.variance_inflation + self.inflation_growth * max(density - 1, 0.0)

    def _slot(self, tick: int) -> int | None:
        slots = self.feature.slots
        return None if self.tick_seconds is None or slots is None else slots.slot_of(tick, self.tick_seconds)

    def _at_slot(self, slot: int | None) -> CompiledBank:
        """Return the alternatives of a slot. It is compiled when it is first needed, because it is large."""
        if slot not in self._compiled:
            if len(self._compiled) >= MOST_COMPILED:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[slot] = self._compile(slot)
        return self._compiled[slot]

    def _compile(self, slot: int | None) -> CompiledBank:
        feature, slots, tested = self.feature, self.feature.slots, tested_bins(self.feature.bins)
        p, calibration = smoothed_probabilities(feature.training[tested]), feature.calibration[tested]
        training = None
        variance_inflation = self.variance_inflation
        if slot is not None and slots is not None:
            training, calibration = slots.training[slot], slots.calibration[slot]
            p, variance_inflation = shrunken_probabilities(training, p), slots.bound_variance_inflation
        bank = build_bank(feature.bins, feature.training, self.tolerance, training)
        return CompiledBank.of(
            bank.restricted_to(tested), p, calibration, variance_inflation, self.log_inverse_risk, self.tolerance
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

    def density_of(self, rows: int, bin_counts: Ints) -> float:
        """Return the rows of a feature in a tick over those of a reference tick. Slow effects grow with traffic.

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
        return max(rows / self.rows_per_tick, dense)

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
                alternatives = table.at(tick)
                divisor = table.live_variance_inflation(self.density_of(rows, bin_counts)) * 2.0**FRACTION_BITS
                steps[:, table.alternatives] = alternatives.exact_sums(counts) / divisor
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
