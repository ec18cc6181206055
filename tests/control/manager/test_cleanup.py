"""States of deleted monitors are removed after a grace period, and only those."""

from __future__ import annotations

from typing import Any, cast

from pilotfish.sidecar.control.manager.cleanup import GRACE, StateCleaner
from pilotfish.sidecar.kube.client import Kube

GONE, HERE = "5d0b5c1e-0000-4000-8000-00000000000a", "5d0b5c1e-0000-4000-8000-00000000000b"
NAMES = [f"pilotfish-{GONE}-state", f"pilotfish-{HERE}-ledger", "pilotfish-settings", f"pilotfish-{GONE}-state-abc-0"]
MONITORS: list[dict[str, Any]] = [{"metadata": {"uid": HERE}}]


def test_only_states_of_monitors_that_stay_missing_are_removed() -> None:
    cleaner = StateCleaner(cast("Kube", None), "system", "lease", enabled=True)
    assert cleaner.removable(NAMES, MONITORS, 1000.0) == []
    assert cleaner.removable(NAMES, MONITORS, 999.0 + GRACE) == []
    assert cleaner.removable(NAMES, MONITORS, 1000.0 + GRACE) == [NAMES[0], NAMES[3]]


def test_a_monitor_that_was_seen_again_starts_a_new_grace_period() -> None:
    cleaner = StateCleaner(cast("Kube", None), "system", "lease", enabled=True)
    cleaner.removable(NAMES, MONITORS, 0.0)
    cleaner.removable(NAMES, [*MONITORS, {"metadata": {"uid": GONE}}], 10.0)
    assert cleaner.removable(NAMES, MONITORS, GRACE + 5.0) == []
