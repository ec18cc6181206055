"""Ticks of independent columns x0, x1, ..., their counts drawn from the true probabilities of the bins.

A tick's counts of a column of independent rows are multinomial, so that drawing them is the same as drawing rows and
counting those, only faster. Rows are drawn where they depend on each other, or where a feature has several columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np

from pilotfish.detectors.detection.family import FamilyDetector
from pilotfish.detectors.detection.family_tables import family_tables
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import TickResult
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import LOSS_TOLERANCE, DriftSettings
from pilotfish.detectors.summaries.counts import Counts
from tests.benchmarks.detection.columns import Column

MONTH = 43_200.0  # ticks


def settings(ticks_per_false_alarm: float, tolerance: float = 0.0, tick_seconds: float = 60.0) -> DriftSettings:
    """A budget of one false alarm; a tolerance of 0 also applies to losses."""
    forgiven = LOSS_TOLERANCE if tolerance else 0.0
    seconds = tick_seconds * ticks_per_false_alarm
    return DriftSettings(tick_seconds, per_seconds=seconds, tolerance=tolerance, loss_tolerance=forgiven)


def reference(columns: Sequence[Column], rows: int, tolerance: float, seed: Sequence[int]) -> Profile:
    """A profile of the given number of quiet rows, without derived columns."""
    rng = np.random.default_rng([*seed, 11])
    data = {f"x{i}": column.rows(rows, rng) for i, column in enumerate(columns)}
    return columns_only(build_profile(data, exchangeable=True, tolerance=tolerance))


def columns_only(profile: Profile) -> Profile:
    """The profile without the features of several columns."""
    features = tuple(feature for feature in profile.features if feature.family != "multivariate")
    return replace(profile, features=features, transforms=())


class Draw:
    """Draws the counts of ticks."""

    def __init__(self, profile: Profile, columns: Sequence[Column], rng: np.random.Generator) -> None:
        self._profile = profile
        self._rng = rng
        self._probabilities = [
            column.probabilities(feature) for column, feature in zip(columns, profile.features, strict=True)
        ]

    def change(self, column: Column, position: int = 0) -> None:
        """From now on, a column is drawn from another distribution."""
        self._probabilities[position] = column.probabilities(self._profile.features[position])

    def flat_counts(self, rows: int) -> np.ndarray:
        """Flat counts of one tick [bins of the profile]."""
        return np.concatenate([self._rng.multinomial(rows, p) for p in self._probabilities])

    def counts(self, rows: int) -> Counts:
        return replace(Counts.empty(self._profile), bin_counts=self.flat_counts(rows), input_rows=rows)


class Traffic:
    """Ticks through one monitor, as a user has it. The tables of a profile are built once for all seeds."""

    def __init__(
        self,
        profile: Profile,
        columns: Sequence[Column],
        chosen: DriftSettings,
        seed: Sequence[int],
        like: Traffic | None = None,
    ) -> None:
        self._fresh: DriftMonitor = DriftMonitor(profile, chosen) if like is None else like._fresh
        shared = [profile, *(family.table for family in self._fresh._families)]
        self.monitor = deepcopy(self._fresh, {id(one): one for one in shared})
        self.draw = Draw(profile, columns, np.random.default_rng(seed))
        self.tick = 0

    def step(self, rows: int) -> TickResult:
        self.tick += 1
        return self.monitor.close_tick(self.tick, self.draw.counts(rows))


class Crossings:
    """The evidence of a profile's first family against one or more budgets; it restarts from zero after each crossing.

    The promise covers every crossing, also those that a user does not see because they belong to an open episode.
    """

    def __init__(self, profile: Profile, *ticks_per_false_alarm: float) -> None:
        chosen = {budget: settings(budget) for budget in ticks_per_false_alarm}
        self._families = {budget: FamilyDetector(family_tables(profile, one)[0]) for budget, one in chosen.items()}
        self._table = next(iter(self._families.values())).table

    def step(self, tick: int, flat_counts: np.ndarray) -> list[float]:
        """Take in the flat counts of a tick; the budgets whose threshold is crossed."""
        steps, active = self._table.increments(tick, flat_counts)
        crossed = []
        for budget, family in self._families.items():
            family.evidence.step(tick, steps, active)
            if family.log_ratio >= 0:
                family.evidence.forget(slice(None))
                crossed.append(budget)
        return crossed
