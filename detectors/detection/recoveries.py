"""The recovery of drifted features: their recovery tests, over the ticks of an open episode.

`family` owns one instance and calls it in each tick. This module may delay a recovery, but must not
hasten it: the guarantee on closing by mistake is that of `sequential.recovery.RecoveryTest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..batch import Floats, Ints
from .compiled_bank import CompiledBank
from .episodes import EpisodeMember
from .sequential.recovery import RecoveryTest, RecoveryWindow
from .tables import FeatureTable


class Recoveries:
    """The recovery tests of the features in open episodes of one family."""

    def __init__(self, log_threshold: float) -> None:
        """Close a feature at the evidence that an alarm of its family needs, given by its log."""
        self._log_threshold = log_threshold
        self._tests: dict[str, tuple[CompiledBank, tuple[int, float], RecoveryTest]] = {}
        self._windows: dict[str, RecoveryWindow] = {}

    def has_recovered(
        self, tick: int, member: EpisodeMember, table: FeatureTable, counts: Ints, steps: Floats, density: float
    ) -> bool:
        """Add a tick of a feature in an episode; return whether the feature has recovered.

        The recovery test follows one alternative. If another one shows the drift, the feature stays and the test
        restarts with that one.

        Args:
            tick: number of the tick.
            member: the feature; its recovery evidence and alternative are updated.
            table: of the feature.
            counts: [bins] of the feature in the tick.
            steps: [confidence levels, alternatives] increments of the feature.
            density: rows of the feature in the tick over those of a reference tick.
        """
        if member.log_recovery_evidence <= 0 or member.name not in self._windows:
            self._windows[member.name] = RecoveryWindow.empty(*steps.shape)
        window = self._windows[member.name]
        window.add(steps, table.at(tick).excess(counts), int(counts.sum()))
        largest = float(table.live_variance_inflation(density).max())
        increment = self._test(tick, member, table).increment(counts, largest)
        member.log_recovery_evidence = float(np.logaddexp(member.log_recovery_evidence, 0.0)) + increment
        if member.log_recovery_evidence < self._log_threshold:
            return False
        other = window.strongest_drifting(table.log_reference_evidence, self._log_threshold)
        if other is None:
            return True
        member.alternative, member.log_recovery_evidence = other, -np.inf
        member.excess = window.mean_excess(other)
        return False

    def forget(self, name: str) -> None:
        """Drop what was gathered for a feature that left its episode."""
        self._windows.pop(name, None)

    def state(self) -> dict[str, Any]:
        """Return plain values by feature; tests are rebuilt from the episodes."""
        return {name: window.state() for name, window in self._windows.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state of `state`."""
        self._windows = {name: RecoveryWindow.from_state(stored) for name, stored in state.items()}

    def _test(self, tick: int, member: EpisodeMember, table: FeatureTable) -> RecoveryTest:
        """Return the recovery test of a feature; it is built once per compiled bank."""
        bank = table.at(tick)
        terms = (member.alternative, member.excess)
        known = self._tests.get(member.name)
        if known is None or known[0] is not bank or known[1] != terms:
            h, upper = bank.h(member.alternative), bank.upper(member.alternative)
            known = bank, terms, RecoveryTest.for_drift(h, bank.p, upper, member.excess)
            self._tests[member.name] = known
        return known[2]
