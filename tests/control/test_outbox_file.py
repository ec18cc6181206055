"""The outbox: committed operations survive crashes, cut-off lines are ignored, a full disk does not stop the loop."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control import journal, outbox_file
from pilotfish.sidecar.control.errors import OutboxError
from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.ledger import (
    DELIVERED,
    MAX_ENDED_ENTRIES,
    PENDING,
    RECOMMENDED,
    REFUSED,
    ChangeEntry,
    IntentLedger,
    Nature,
    Operation,
    PutEntry,
    SetTotals,
)
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from pilotfish.sidecar.control.status import build_status
from tests.control.situations import NOON, OLD_OUTBOX, change, entry, episode, put, situation
from tests.support.examples import examples
from tests.support.limits import largest_file

IDS = st.sampled_from(("a", "b", "c"))
STATES = st.sampled_from((PENDING, DELIVERED, REFUSED, RECOMMENDED))
OPERATIONS = st.lists(
    st.builds(lambda id_, state: put(id_, state=state), IDS, STATES)
    | st.builds(lambda id_, state, reason: change(id_, state=state, reason=reason), IDS, STATES, st.text()),
    max_size=12,
)


def opened(path: Path) -> OutboxFile:
    box = OutboxFile(path)
    box.open()
    return box


@given(OPERATIONS)
def test_a_file_cut_anywhere_gives_the_ledger_of_its_whole_lines(operations: list[Operation]) -> None:
    raw = journal.encode(operations)
    for cut in range(0, len(raw) + 1, 7):
        whole = raw[:cut].count(b"\n")
        found = journal.decode(raw[:cut])
        assert (found.operations, found.damaged) == (tuple(operations[:whole]), ())
        assert raw[: found.end].count(b"\n") == whole


@given(OPERATIONS.filter(bool), st.data())
def test_a_flipped_bit_costs_one_or_two_lines_and_is_counted(operations: list[Operation], data: st.DataObject) -> None:
    raw = bytearray(journal.encode(operations))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    found = journal.decode(bytes(raw))
    assert len(found.operations) >= len(operations) - 2
    assert set(found.operations) <= set(operations)


@given(st.binary())
def test_foreign_bytes_never_raise(raw: bytes) -> None:
    assert journal.decode(raw).operations == ()


@settings(max_examples=examples(50))
@given(OPERATIONS)
def test_a_compacted_ledger_is_equal(operations: list[Operation]) -> None:
    ledger = IntentLedger().apply(operations)
    again = IntentLedger().apply(ledger.snapshot_operations())
    assert again.totals == ledger.totals
    assert {key: (e.state, e.reason) for key, e in again.entries.items()} == {
        key: (e.state, e.reason) for key, e in ledger.entries.items()
    }


def test_compaction_drops_the_oldest_ended_entries_but_no_pending_one_and_no_count() -> None:
    ended = [put(f"d{index}", state=DELIVERED, at=NOON + index) for index in range(MAX_ENDED_ENTRIES + 10)]
    ledger = IntentLedger().apply([put("p", at=NOON - 9), *ended])
    again = IntentLedger().apply(ledger.snapshot_operations())
    assert len(again.entries) == MAX_ENDED_ENTRIES + 1
    assert "p" in again.entries
    assert "d9" not in again.entries
    assert again.totals == {("retrain", "executed", "drift"): MAX_ENDED_ENTRIES + 10}


def test_compaction_keeps_the_entries_of_each_kind_separately() -> None:
    old = put("retrained", state=DELIVERED, at=NOON - 9)
    busy = [
        PutEntry(msgspec.structs.replace(entry(f"s{index}", state=DELIVERED, at=NOON + index), kind="scale"))
        for index in range(MAX_ENDED_ENTRIES + 10)
    ]
    again = IntentLedger().apply(IntentLedger().apply([old, *busy]).snapshot_operations())
    assert "retrained" in again.entries
    assert len(again.entries) == MAX_ENDED_ENTRIES + 1


def test_a_level_keeps_its_desired_value_when_it_is_compacted() -> None:
    reached = msgspec.structs.replace(
        entry(state=DELIVERED), kind="scale", nature=Nature.LEVEL, desired={"cpu": "2"}, observed={"cpu": "1"}
    )
    ledger = IntentLedger().apply([PutEntry(reached)])
    again = IntentLedger().apply(journal.decode(journal.encode(ledger.snapshot_operations())).operations)
    assert again == ledger


def test_a_file_of_an_earlier_version_is_read_and_written_unchanged() -> None:
    raw = OLD_OUTBOX.read_bytes()
    found = journal.decode(raw)
    assert found.damaged == ()
    assert journal.encode(found.operations) == raw
    ledger = IntentLedger().apply(found.operations)
    assert [(one.key, one.why, one.state, one.reason, one.attempts) for one in ledger.entries.values()] == [
        ("e1", "drift", DELIVERED, "drift", 1),
        ("e2", "drift", REFUSED, "cooldown", 0),
        ("e3", "drift", PENDING, "drift", 1),
        ("e4", "drift", RECOMMENDED, "mode", 0),
    ]


def test_ids_and_events_equal_those_of_an_earlier_version() -> None:
    entries = IntentLedger().apply(journal.decode(OLD_OUTBOX.read_bytes()).operations).entries
    intents = wanted_intents(situation(*(episode(f"e{number}", at=NOON + 60 * number - 60) for number in (1, 2, 3, 4))))
    assert [intent.id for intent in intents] == list(entries)
    assert [intent.desired for intent in intents if entries[intent.id].desired] == [
        one.desired for one in entries.values() if one.desired
    ]


def test_committed_operations_are_read_again(tmp_path: Path) -> None:
    box = opened(tmp_path / "state" / "outbox.jsonl")
    box.commit([put("a"), put("b")])
    box.commit([change("a", state=DELIVERED)])
    box.close()
    again = opened(tmp_path / "state" / "outbox.jsonl")
    assert again.ledger == box.ledger
    assert {key: entry.state for key, entry in again.ledger.entries.items()} == {"a": DELIVERED, "b": PENDING}


def test_a_cut_off_line_is_removed_and_the_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    path.write_bytes(journal.encode([put("a")]) + journal.encode([put("b")])[:-9])
    box = opened(path)
    box.commit([put("c")])
    box.close()
    assert set(opened(path).ledger.entries) == {"a", "c"}


def test_a_damaged_line_is_shown_logged_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "outbox.jsonl"
    damaged = journal.encode([put("retrain-b")]).replace(b"pending", b"pfnding")
    path.write_bytes(journal.encode([put("a")]) + damaged + b"0000 3 {}\n" + journal.encode([put("c")]))
    box = opened(path)
    assert set(box.ledger.entries) == {"a", "c"}
    assert box.damaged == ("line 2 (retrain-b)", "line 3")
    status = build_status(FileOutbox(box), {})
    assert status.damaged == 2
    assert "line 2 (retrain-b), line 3 damaged" in (status.problem or "")
    assert [item.getMessage() for item in caplog.records] == [status.problem]


def test_a_second_process_gets_an_error_with_the_remedy(tmp_path: Path) -> None:
    first = opened(tmp_path / "outbox.jsonl")
    with pytest.raises(OutboxError, match="another process has locked it; give each `pilotfish run` its own --state"):
        opened(tmp_path / "outbox.jsonl")
    first.close()
    opened(tmp_path / "outbox.jsonl").close()


def make_too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(outbox_file.MAX_OUTBOX_BYTES + 1)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, make_too_large])
def test_what_is_not_an_outbox_is_set_aside_once_and_reported(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "outbox.jsonl"
    make(path)
    box = OutboxFile(path)
    box.open()
    assert "outbox.jsonl.refused" in box.damage
    box.commit([put("a")])
    box.close()
    again = opened(path)
    assert (again.damage, list(again.ledger.entries)) == ("", ["a"])


def test_a_failed_start_releases_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = OutboxFile(tmp_path / "outbox.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(journal, "interpret", lambda _raw: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            box.open()
    box.open()
    box.commit([put("a")])
    assert box.unsaved == 0


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_an_unreadable_file_is_never_treated_as_empty(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.jsonl"
    path.write_bytes(b"")

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pilotfish.sidecar.system.logfile.require_regular", fail)
    with pytest.raises(OutboxError, match="cannot find out what was sent already"):
        opened(path)
    assert path.exists()


def test_it_is_compacted_automatically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_file, "COMPACT_AT", 2000)
    path = tmp_path / "outbox.jsonl"
    box = OutboxFile(path)
    box._compact_at = 2000
    box.open()
    box.commit([put("a")])
    for index in range(300):
        box.commit([ChangeEntry(id="a", at=NOON + index, state=PENDING, reason="drift", attempts=index)])
    assert path.stat().st_size < 4000
    assert list(tmp_path.iterdir()) == [path]
    box.close()
    assert opened(path).ledger == box.ledger


def test_a_full_disk_is_reported_and_written_to_when_it_has_room_again(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    box = opened(path)
    box.commit([put("a")])
    with largest_file(path.stat().st_size + 20):
        box.commit([put("b")])
        box.commit([change("a", state=DELIVERED)])
        assert (box.unsaved, set(box.ledger.entries)) == (2, {"a", "b"})
        assert "File too large" in (build_status(FileOutbox(box), {}).problem or "")
        assert path.read_bytes().endswith(b"\n")
    box.commit([])
    assert (box.unsaved, build_status(FileOutbox(box), {}).problem) == (0, None)
    box.close()
    assert opened(path).ledger == box.ledger


@pytest.mark.long
def test_the_operations_that_wait_for_a_full_disk_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    box = opened(path)
    with largest_file(0):
        for index in range(3000):
            box.commit([put("a", attempts=index), SetTotals((("retrain", "executed", "drift", index),))])
        assert box.unsaved <= outbox_file.MAX_UNSAVED + 2
    box.commit([])
    box.close()
    assert opened(path).ledger == box.ledger


STEPS = st.sampled_from(("", "", "outbox.append", "outbox.written", "outbox.compacted", "outbox.replaced"))


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(OPERATIONS, STEPS, st.booleans()), max_size=10))
def test_after_any_failure_disk_and_memory_agree_in_the_end(
    history: list[tuple[list[Operation], str, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        failing = ""

        def step(name: str) -> None:
            if name == failing:
                raise OSError(errno.ENOSPC, "no space")

        path = Path(folder) / "outbox.jsonl"
        box = OutboxFile(path, step=step)
        box.open()
        for operations, failing, compact in history:  # noqa: B007  # read by `step`
            box._compact_at = 0 if compact else outbox_file.COMPACT_AT
            box.commit(operations)
        failing = ""
        box.commit([])
        assert (box.unsaved, box.problem) == (0, "")
        box.close()
        assert opened(path).ledger == box.ledger


def test_without_a_folder_it_works_in_memory_until_there_is_one(tmp_path: Path) -> None:
    blocker = tmp_path / "state"
    blocker.write_text("a file where a folder should be")
    with pytest.raises(OutboxError):
        opened(blocker / "outbox.jsonl")
    os.unlink(blocker)
    os.symlink(tmp_path / "gone" / "away", blocker)
    box = opened(blocker / "outbox.jsonl")
    box.commit([put("a")])
    assert (box.unsaved, box.problem.startswith("cannot create")) == (1, True)
    os.unlink(blocker)
    box.open()
    assert (box.unsaved, box.problem) == (0, "")
    box.close()
    assert set(opened(blocker / "outbox.jsonl").ledger.entries) == {"a"}
