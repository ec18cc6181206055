"""The blind spot of a pod whose counts do not reach the controller."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from pilotfish.sidecar.analyzer.snapshot import Snapshot
from pilotfish.sidecar.analyzer.visibility.history import History
from pilotfish.sidecar.analyzer.visibility.readings import Reading, View
from pilotfish.sidecar.analyzer.visibility.sync import AWAY_SECONDS, UNACKNOWLEDGED_SECONDS, not_synced
from pilotfish.sidecar.report.sync_status import SyncStatus
from tests.telemetry.made import NOW, whole_report

OK = SyncStatus(control="control:8443", last_success=NOW - 20)


def text(status: SyncStatus | None, **fields: object) -> str:
    """Return the text of the blind spot, empty without one."""
    snapshot = Snapshot(msgspec.structs.replace(whole_report(), started_at=NOW - 1000, **fields))
    found = not_synced(View(Reading(now=NOW, snapshot=snapshot, page=None, sync=status), History()))
    assert found is None or not found.total
    return "" if found is None else found.text


def test_a_pod_without_a_controller_and_one_that_is_synced_are_not_blind() -> None:
    assert text(None) == ""
    assert text(OK) == ""
    assert text(replace(OK, oldest=NOW - UNACKNOWLEDGED_SECONDS + 1, problem="one failure")) == ""


@pytest.mark.parametrize("last", [None, NOW - AWAY_SECONDS])
def test_a_controller_that_is_away_for_minutes_is_named_with_the_last_problem(last: float | None) -> None:
    found = text(replace(OK, last_success=last, problem="cannot reach the controller: refused", dropped=4))
    assert "control:8443" in found
    assert "cannot reach the controller: refused" in found
    assert "4 ticks had to be dropped" in found


def test_a_controller_that_stores_nothing_is_named() -> None:
    assert "has not stored a tick" in text(replace(OK, oldest=NOW - UNACKNOWLEDGED_SECONDS))


def test_a_pod_that_gets_no_profile_is_named_unless_it_learns_one_or_has_just_started() -> None:
    assert "no profile is in force" in text(OK, state="unprofiled", learning=None)
    assert text(OK, state="unprofiled") == ""
    young = Snapshot(msgspec.structs.replace(whole_report(), started_at=NOW - 5, state="unprofiled", learning=None))
    assert not_synced(View(Reading(now=NOW, snapshot=young, page=None, sync=OK), History())) is None
