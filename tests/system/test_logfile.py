"""The append-only log after a kill, a full disk, a flipped bit, or an action of another process."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.errors import quote_value
from pilotfish.sidecar.system.files import is_unusable
from pilotfish.sidecar.system.framing import BinaryFrames, Damage, FramedRecord, Framing, JsonLines, LineFrames
from pilotfish.sidecar.system.logfile import ForeignFileError, LogFile, read_records
from tests.support.examples import examples
from tests.support.limits import largest_file

BINARY, LINES = BinaryFrames(b"MAGIC123", noted=True), LineFrames()
BOTH = pytest.mark.parametrize("framing", [BINARY, LINES])


def contents(path: Path, framing: Framing) -> list[bytes]:
    found: list[FramedRecord | Damage] = []
    with LogFile(path, framing) as log:
        log.open(found.append)
    return [item.payload for item in found if isinstance(item, FramedRecord)]


def filled(path: Path, framing: Framing, payloads: list[bytes]) -> LogFile:
    log = LogFile(path, framing)
    for payload in payloads:
        log.append(payload)
    return log


@BOTH
def test_appended_records_are_read_and_the_log_is_continued(tmp_path: Path, framing: Framing) -> None:
    path = tmp_path / "log"
    log = filled(path, framing, [b"one", b"two"])
    log.extend([framing.frame(b"three"), framing.frame(b"four")], sync=False)
    log.sync()
    assert (log.size, log.is_open) == (path.stat().st_size, True)
    log.close()
    with LogFile(path, framing) as again:
        again.append(b"five")  # recovers the file, which was not opened before
        assert again.size == path.stat().st_size
    assert contents(path, framing) == [b"one", b"two", b"three", b"four", b"five"]
    assert path.stat().st_mode & 0o777 == 0o600


@BOTH
def test_a_log_cut_at_any_byte_keeps_the_whole_records_and_is_continued(tmp_path: Path, framing: Framing) -> None:
    path = tmp_path / "log"
    log, ends = LogFile(path, framing), [0]
    for payload in (b"one", b"two"):
        log.append(payload)
        ends.append(log.size)
    log.close()
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        whole = sum(length >= end for end in ends[1:])
        again = LogFile(path, framing)
        again.open()
        assert again.cut == length - again.size
        again.append(b"new")
        again.close()
        assert contents(path, framing) == [*[b"one", b"two"][:whole], b"new"]


@pytest.mark.long
@BOTH
def test_a_flipped_bit_affects_no_earlier_record(tmp_path: Path, framing: Framing) -> None:
    path = tmp_path / "log"
    log = filled(path, framing, [b"one"])
    end = log.size
    log.append(b"two")
    log.close()
    raw = path.read_bytes()
    for bit in range(len(raw) * 8):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = contents(path, framing)
        except ForeignFileError:
            assert bit // 8 < len(framing.magic)
            continue
        assert found[: 1 if bit // 8 >= end else 0] == [b"one"][: 1 if bit // 8 >= end else 0]
        assert set(found) <= {b"one", b"two"}


def test_damaged_records_are_named_and_other_lines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LINES.frame(b"one") + b"nonsense\n" + LINES.frame(b"three"))
    log = LogFile(path, LINES)
    before = path.read_bytes()
    log.open()
    assert ([item.place for item in log.damaged], log.cut, log.lost) == (["line 2"], 0, 9)
    log.append(b"four")
    assert contents(path, LINES) == [b"one", b"three", b"four"]
    assert log.damage == f"it was renamed to {quote_value(tmp_path / 'log.refused')}"
    assert (tmp_path / "log.refused").read_bytes() == before
    again = LogFile(path, LINES)
    again.open()
    assert (again.damaged, again.damage) == ((), ""), "it is set aside once"


def test_records_after_a_damaged_one_are_kept_and_the_log_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = filled(path, BINARY, [b"one", b"two", b"three", b"four"])
    log.close()
    raw = bytearray(path.read_bytes())
    for damaged in (b"two", b"four"):
        raw[raw.index(damaged)] ^= 1
    path.write_bytes(raw)
    log = LogFile(path, BINARY, exclusive=True)
    log.open()
    assert (log.lost, log.size) == (15 + 16, path.stat().st_size)
    log.append(b"five")
    with pytest.raises(OSError, match="another process has locked it"):
        LogFile(path, BINARY, exclusive=True).open()
    log.close()
    assert contents(path, BINARY) == [b"one", b"three", b"five"]
    assert (tmp_path / "log.refused").read_bytes() == raw


@BOTH
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_damaged_log_is_continued_even_if_no_new_file_can_be_written(
    tmp_path: Path, framing: Framing, at: int
) -> None:
    path = tmp_path / "log"
    payloads = [b"%d" % index * 40 for index in range(3)]
    filled(path, framing, payloads).close()
    raw = bytearray(path.read_bytes())
    raw[raw.index(payloads[at])] ^= 1
    path.write_bytes(raw)
    log = LogFile(path, framing)
    with largest_file(20):
        log.open()
    assert log.damage.startswith("it cannot be renamed: File too large")
    log.append(b"new")
    log.close()
    assert contents(path, framing) == [*(item for item in payloads if item != payloads[at]), b"new"]
    assert not (tmp_path / "log.new").exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "log"
    make(path)
    with pytest.raises(OSError, match=r"not a regular file|Is a directory") as raised:
        LogFile(path, LINES).open()
    assert is_unusable(raised.value)
    with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
        list(read_records(path, LINES))


@BOTH
def test_a_full_disk_sets_the_problem_and_leaves_no_part(tmp_path: Path, framing: Framing) -> None:
    path = tmp_path / "log"
    log = filled(path, framing, [b"one"])
    before = path.read_bytes()
    for room in range(12):
        with largest_file(len(before) + room), pytest.raises(OSError, match="too large"):
            log.append(b"a record of some length")
        assert (path.read_bytes(), log.problem.startswith(f"cannot write {path}: ")) == (before, True)
    log.append(b"two")
    assert (log.problem, contents(path, framing)) == ("", [b"one", b"two"])


@pytest.mark.parametrize("sync", [False, True])
def test_without_room_the_file_stays_empty(tmp_path: Path, sync: bool) -> None:
    log = LogFile(tmp_path / "log", BINARY)
    with largest_file(3), pytest.raises(OSError, match="too large"):
        log.append(b"x", sync=sync)
    assert (tmp_path / "log").read_bytes() == b""
    log.append(b"x", 5)
    assert contents(tmp_path / "log", BINARY) == [b"x"]


@BOTH
def test_the_next_append_removes_what_a_failed_one_could_not(
    tmp_path: Path, framing: Framing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    log = filled(path, framing, [b"one"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
        with largest_file(log.size + 5), pytest.raises(OSError, match="too large"):
            log.append(b"a record of some length")
    assert path.stat().st_size == log.size + 5
    log.append(b"two")
    assert contents(path, framing) == [b"one", b"two"]


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.binary(min_size=1, max_size=30).map(lambda raw: raw.replace(b"\n", b" ")),
            st.sampled_from(["", "", "append", "written", "compacted", "replaced"]),
            st.sampled_from(["append", "rewrite", "reopen"]),
        ),
        max_size=12,
    )
)
def test_after_any_failure_the_file_holds_the_acknowledged_records(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[bytes, str, str]]
) -> None:
    path, failing, kept = tmp_path_factory.mktemp("log") / "log", "", list[bytes]()

    def step(name: str) -> None:
        if name == failing:
            raise OSError(errno.ENOSPC, "no space")

    log = LogFile(path, LINES, exclusive=True, step=step)
    log.open()
    for payload, failing, action in history:  # noqa: B007  # read by `step`
        with suppress(OSError):  # which the steps raise
            if action == "append":
                log.append(payload)
                kept.append(payload)
            elif action == "rewrite":
                log.rewrite(kept[-2:])
                kept = kept[-2:]
            else:
                log.close()
                log.open()
    log.close()
    assert contents(path, LINES) == kept
    assert list(path.parent.iterdir()) == [path]


def test_a_rewritten_log_keeps_its_lock_and_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(path, LINES, exclusive=True)
    log.append(b"one")
    log.append(b"two")
    log.rewrite([b"both"])
    log.append(b"three")
    with pytest.raises(OSError, match="another process has locked it"):
        LogFile(path, LINES, exclusive=True).open()
    log.close()
    assert (contents(path, LINES), list(tmp_path.iterdir())) == ([b"both", b"three"], [path])


def test_without_room_for_a_rewritten_file_the_old_one_stays_in_use(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = filled(path, LINES, [b"one"])
    with largest_file(10), pytest.raises(OSError, match="too large"):
        log.rewrite([b"something longer"])
    log.append(b"two")
    assert (contents(path, LINES), list(tmp_path.iterdir())) == ([b"one", b"two"], [path])


def test_a_rotated_log_starts_empty(tmp_path: Path) -> None:
    log = filled(tmp_path / "log", JsonLines(), [b'{"x":1}'])
    log.rotate(tmp_path / "log.1")
    log.append(b'{"x":2}')
    assert b'"x":1' in (tmp_path / "log.1").read_bytes()
    assert b'"x":2' in (tmp_path / "log").read_bytes()


def test_a_kept_tail_is_completed_with_a_line_break(tmp_path: Path) -> None:
    path, (first, second) = tmp_path / "log", [JsonLines().frame(b'{"x":%d}' % number) for number in (1, 2)]
    path.write_bytes(b"whole\nhalf")
    log = LogFile(path, JsonLines(), keep_tail=True)
    log.append(b'{"x":1}')
    with path.open("ab") as file:  # an edit by hand
        file.write(b"by hand")
    log.append(b'{"x":2}')
    assert path.read_bytes() == b"whole\nhalf\n" + first + b"by hand\n" + second


def test_a_file_that_is_too_large_or_of_another_kind_stays_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a letter to my aunt")
    with pytest.raises(OSError, match="larger than 10 bytes"):
        LogFile(path, LINES, largest=10).open()
    log = LogFile(path, BINARY)
    for attempt in (log.open, lambda: log.append(b"x")):
        with pytest.raises(ForeignFileError):
            attempt()
    assert (path.read_bytes(), log.is_open, list(read_records(path, BINARY))) == (b"a letter to my aunt", False, [])


def test_a_missing_file_is_an_error_unless_create_is_set(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", LINES)
    with pytest.raises(FileNotFoundError):
        log.open(create=False)
    log.open()
    assert (log.size, (tmp_path / "log").exists()) == (0, True)


def test_an_error_of_the_reader_closes_and_unlocks_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    filled(path, LINES, [b"one"]).close()
    log = LogFile(path, LINES, exclusive=True)

    def fail(_: object) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        log.open(fail)
    with LogFile(path, LINES, exclusive=True) as other:
        other.open()


def test_a_file_that_was_removed_or_truncated_is_continued_after_its_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = filled(path, BINARY, [b"one", b"two"])
    log.close()
    path.unlink()
    log.append(b"three")
    assert contents(path, BINARY) == [b"three"]
    os.truncate(path, path.stat().st_size - 1)
    log.append(b"four")
    assert contents(path, BINARY) == [b"four"]


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic links|File exists"):
        LogFile(tmp_path / "log", LINES).append(b"x")


def test_the_first_sync_makes_the_files_name_durable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("pilotfish.sidecar.system.logfile.sync_path", synced.append)
    filled(tmp_path / "log", LINES, [b"one", b"two"]).close()
    assert synced == [tmp_path]


def test_a_concurrent_reader_finds_whole_records_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    payloads = [b"%06d" % index * 500 for index in range(300)]
    log = filled(path, BINARY, payloads[:1])
    seen, ended = list[int](), threading.Event()

    def read() -> None:
        while not ended.is_set():
            found = [record.payload for record in read_records(path, BINARY) if isinstance(record, FramedRecord)]
            assert found == payloads[: len(found)]
            seen.append(len(found))

    reader = threading.Thread(target=read)
    reader.start()
    for payload in payloads[1:]:
        log.append(payload, sync=False)
    ended.set()
    reader.join()
    assert seen == sorted(seen)
    assert len(list(read_records(path, BINARY))) == len(payloads)
