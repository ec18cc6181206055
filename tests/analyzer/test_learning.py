"""The learning state, the audit log, and the build process: failed builds, a full store, cancellation."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, cast

import pytest

from pilotfish.sidecar.analyzer import audit as audits
from pilotfish.sidecar.analyzer import profile_builder as builder
from pilotfish.sidecar.analyzer.actions import AuditedActions
from pilotfish.sidecar.analyzer.audit import AuditLog
from pilotfish.sidecar.analyzer.errors import LearningRefusedError
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.learning import LearningState
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.row_stores import RowStores
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.channel.sender import Sender
from pilotfish.sidecar.report.schema import AuditEntry, CheckpointStatus, LearningStatus
from pilotfish.sidecar.settings.document import Learn
from pilotfish.sidecar.settings.traffic import KeepRows
from tests.analyzer.made import T0, drifting, pipeline, profile, record, setup
from tests.analyzer.test_app import measured, options, running
from tests.support.waiting import eventually

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m, version: "7"}
  profiles: [{learn: {rows: 1000}}]
"""


def learning_status(**changes: Any) -> LearningStatus:
    given: dict[str, Any] = {"id": "a", "kind": "learn", "wanted": 1000, "began": 1.0}
    return LearningStatus(**(given | changes))


async def send_rows(folder: Path) -> Sender:
    sender = Sender(folder / "shared" / "records.sock", 7)
    await eventually(lambda: sender.connect(1), what="a reader")
    for made in drifting(1, 20, time.time_ns(), 0.0):
        assert sender.offer(made)
    await eventually(lambda: sender.flush() or not sender.pending, what="the records to be sent")
    return sender


def started(**changes: Any) -> LearningState:
    learning = LearningState()
    learning.begin(learning_status(**changes))
    return learning


def test_rows_are_gathered_three_times_at_most() -> None:
    learning = started()
    for tries in (1, 2, 3):
        learning.update_rows(1200, full=False, now=5.0)
        assert learning.current is not None
        assert (learning.current.state, learning.current.tries) == ("building", tries)
        learning.update_progress("a", 0.0, "not stable")
    assert learning.current is not None
    assert (learning.current.state, learning.current.problem) == ("gave_up", "not stable")
    learning.begin(learning_status(id="b"))
    assert learning.gathering


def test_a_state_that_does_not_fit_is_dropped_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    state = started()
    state.resume({"id": 7, "kind": "learn"})
    assert state.current is None
    assert "learning a profile starts again" in caplog.text


def test_a_full_store_is_enough_with_a_thousand_rows() -> None:
    learning = started(wanted=5000)
    learning.update_rows(1500, full=True, now=5.0)
    assert learning.current is not None
    assert learning.current.state == "building"
    learning = started(wanted=5000)
    learning.update_rows(15, full=True, now=5.0)
    assert learning.current is not None
    assert (learning.current.state, "15 rows" in learning.current.problem) == ("gave_up", True)


def test_an_ended_learning_accepts_no_progress() -> None:
    learning = started()
    with pytest.raises(LearningRefusedError, match="DELETE /rebaseline"):
        learning.begin(learning_status(id="b"))
    learning.end("a")
    with pytest.raises(LearningRefusedError, match="has ended"):
        learning.update_progress("a", 0.5, "")


def test_rows_are_masked_counted_and_continue_after_a_restart(tmp_path: Path) -> None:
    keep = KeepRows(rows=100, mask=("amount",))
    made = Pipeline(setup(keep_rows=keep, learn=Learn(rows=1000)), ExchangeLedger(1))
    made.learning.begin(learning_status())
    stores = RowStores(tmp_path, made)
    for sequence in range(1, 301):
        made.handle_record(record(sequence, amounts=(0.5, 0.7)), T0)
    stores.store(1.0)
    found = {item.store: item for item in stores.stored_rows()}
    assert (found["learning"].rows, found["recent"].rows) == (600, 100)
    assert b"amount" not in b"".join(path.read_bytes() for path in (tmp_path / "rows").iterdir())
    again = Pipeline(setup(keep_rows=keep, learn=Learn(rows=1000)), ExchangeLedger(1), made.state())
    stores = RowStores(tmp_path, again)
    for sequence in range(301, 511):
        again.handle_record(record(sequence, amounts=(0.5, 0.7)), T0)
    stores.store(2.0)
    assert again.learning.current is not None
    assert (again.learning.current.state, again.learning.current.rows) == ("building", 1000)
    report = Publisher(0.0).publish(again, CheckpointStatus(), {}, 1.0, stores.stored_rows()).report
    assert "learned from the first 1000 rows" in report.reason


def test_another_profile_ends_learning_and_removes_its_rows(tmp_path: Path) -> None:
    made = pipeline()
    made.learning.begin(learning_status())
    stores = RowStores(tmp_path, made)
    made.handle_record(record(1), T0)
    stores.store(1.0)
    assert list((tmp_path / "rows").iterdir())
    made.set_profile(profile())
    stores.store(2.0)
    assert made.learning.current is None
    assert list((tmp_path / "rows").iterdir()) == []


def test_only_the_current_rebaseline_sets_its_profile() -> None:
    made = pipeline(profile())
    made.learning.begin(learning_status(kind="rebaseline"))
    with pytest.raises(LearningRefusedError):
        made.set_profile(profile(1), "another")
    assert made.active.monitor is not None
    assert made.active.monitor.profile.hash == profile().hash
    made.set_profile(profile(1), "a")
    assert made.active.monitor.profile.hash == profile(1).hash
    assert made.learning.current is not None  # until the profile is stored and the rows are removed


def test_the_audit_log_skips_a_torn_line_and_is_rotated_when_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    AuditLog(tmp_path).append(AuditEntry(time=1.0, action="profile", outcome="in_force", by="ann"))
    with path.open("ab") as file:
        file.write(b'{"time":2.0,"acti')
    again = AuditLog(tmp_path)
    again.append(AuditEntry(time=3.0, action="close_episode", outcome="closed"))
    assert [item.time for item in AuditLog(tmp_path).newest] == [1.0, 3.0]
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(audits, "MAX_FILE_BYTES", 10)
    again.append(AuditEntry(time=4.0, action="profile", outcome="in_force"))
    assert [json.loads(line)["time"] for line in path.read_text().splitlines()] == [4.0]
    (tmp_path / "audit.jsonl.1").unlink()
    path.unlink()
    path.mkdir()
    again.append(AuditEntry(time=5.0, action="profile", outcome="in_force"))
    assert "cannot append" in again.problem
    assert again.newest[-1].time == 5.0


@pytest.mark.asyncio
async def test_a_failed_build_and_a_cancellation_do_not_affect_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "monitor.yaml").write_text(DOCUMENT)
    monkeypatch.setattr(builder, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(builder, "MODULE", ("/bin/false",))
    options(tmp_path)
    async with running(tmp_path) as (made, _, _):
        assert made.report.learning is not None
        sender = await send_rows(tmp_path)
        await eventually(lambda: (made.report.learning or learning_status()).tries == 2, what="a second try")
        assert made.report.learning is not None
        assert "ended with status 1" in made.report.learning.problem
        with pytest.raises(LearningRefusedError, match="being learned already"):
            await made._actions.rebaseline(b'{"by": "ann", "reason": "r", "rows": 1000}')
        await made._actions.cancel_learning("ann", "enough")
        await eventually(lambda: made.report.learning is None, what="the end of learning")
        assert measured(made) == 20
        sender.disconnect()
        outcomes = [item.outcome.split(":")[0] for item in made.report.decisions]
    assert outcomes == ["gathering_anew", "cancelled"]


@pytest.mark.asyncio
async def test_a_slow_build_is_killed_when_learning_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "monitor.yaml").write_text(DOCUMENT)
    monkeypatch.setattr(builder, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(builder, "MODULE", ("/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60", "sh"))
    options(tmp_path)
    async with running(tmp_path) as (made, _, _):
        sender = await send_rows(tmp_path)
        await eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), what="the child")
        pid = int((tmp_path / "pid").read_text())
        await made._actions.cancel_learning()
        await eventually(lambda: not Path(f"/proc/{pid}").exists(), what="its end")
        sender.disconnect()


@pytest.mark.asyncio
async def test_a_build_that_exceeds_its_time_limit_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MAX_BUILD_SECONDS", 0.05)
    monkeypatch.setattr(builder, "MODULE", ("/bin/sh", "-c", "exec sleep 60"))
    learning = learning_status(state="building")
    read = lambda: Publisher(0.0).publish(_with(learning), CheckpointStatus(), {}, 1.0).report  # noqa: E731
    problems: list[str] = []

    class Actions:
        async def record_failed_build(self, _: LearningStatus, problem: str) -> None:
            problems.append(problem)

    made = builder.ProfileBuilder(setup(), tmp_path, 0, cast("AuditedActions", Actions()), read, print, lambda: None)
    running_builder = asyncio.create_task(made.run())
    try:
        await eventually(lambda: problems, what="the failed build")
    finally:
        running_builder.cancel()
        await asyncio.gather(running_builder, return_exceptions=True)  # it may have started a child meanwhile
    assert "took more than" in problems[0]


def _with(learning: LearningStatus) -> Pipeline:
    made = pipeline()
    made.learning.begin(learning)
    return made
