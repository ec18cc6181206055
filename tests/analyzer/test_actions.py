"""Decisions of people and of learning: what is put into force is stored, also if that fails at first."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.actions import AuditedActions
from pilotfish.sidecar.analyzer.audit import AuditLog
from pilotfish.sidecar.analyzer.checkpoint import CheckpointError
from pilotfish.sidecar.analyzer.commands import SimpleCommand, Warn
from pilotfish.sidecar.analyzer.profile_store import ProfileStore
from pilotfish.sidecar.report.schema import Report, TickStatus
from tests.analyzer.made import profile


@pytest.mark.asyncio
async def test_a_profile_that_a_full_disk_refuses_is_stored_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[SimpleCommand] = []

    def submit(command: SimpleCommand) -> Future[None]:
        submitted.append(command)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    report = Report(made_at=1000.0, started_at=990.0, state="watching", ticks=TickStatus(tick_seconds=60.0))
    store = ProfileStore(None, tmp_path)
    actions = AuditedActions(AuditLog(tmp_path), store, submit, lambda: report)

    def refuse(_: bytes) -> None:
        raise CheckpointError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store, "store", refuse)
        await actions.set_profile(profile().to_bytes())
        assert not await actions.follow_file()
        assert Warn("profile", "the profile is in force but not stored: no space left on device") in submitted
        assert store.load_stored() is None
    submitted.clear()
    assert not await actions.follow_file()
    assert submitted == [Warn("profile", "")]
    stored = store.load_stored()
    assert stored is not None
    assert stored.hash == profile().hash
    assert not await actions.follow_file()
    assert submitted == [Warn("profile", "")], "it is stored once"
