"""Frames are decoded however the bytes are split; connections are replaced, rejected and closed."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel.receiver import FrameDecoder, Receiver
from pilotfish.sidecar.channel.record import (
    FRAME,
    MAX_FRAME,
    VERSION,
    Frame,
    FrameError,
    Hello,
    Record,
    VersionError,
    encode_hello,
    encode_record,
)
from pilotfish.sidecar.channel.sender import Sender
from pilotfish.sidecar.errors import UsageError
from tests.support.examples import examples
from tests.support.limits import no_free_descriptor
from tests.support.records import make_record


def record(sequence: int, body: bytes = b"{}") -> Record:
    return make_record(sequence, body)


def encoded(record: Record) -> bytes:
    return b"".join(encode_record(record))


FRAMES: list[Frame] = [Hello(3, 1), record(1), record(2, b"x" * 300), record(3, b"")]
RAW = b"".join(encode_hello(item) if isinstance(item, Hello) else encoded(item) for item in FRAMES)


def decode_all(*pieces: bytes) -> list[Frame]:
    decoder = FrameDecoder()
    return [frame for piece in pieces for frame in decoder.feed(piece)]


def test_every_split_gives_the_same_frames() -> None:
    for cut in range(len(RAW) + 1):
        assert decode_all(RAW[:cut], RAW[cut:]) == FRAMES


def test_single_bytes_give_the_same_frames() -> None:
    assert decode_all(*(RAW[at : at + 1] for at in range(len(RAW)))) == FRAMES


@given(st.lists(st.integers(0, len(RAW)), max_size=12))
@settings(max_examples=examples(200), deadline=None)
def test_any_chunks_give_the_same_frames(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(RAW)]
    assert decode_all(*(RAW[a:b] for a, b in pairwise(edges))) == FRAMES


@given(st.binary(max_size=200))
@settings(max_examples=examples(300), deadline=None)
def test_any_bytes_are_frames_or_a_frame_error(raw: bytes) -> None:
    try:
        decode_all(raw[:50], raw[50:])
    except FrameError:
        pass  # the only allowed error


def test_oversized_frame_is_rejected_at_its_header() -> None:
    with pytest.raises(FrameError, match="limit"):
        decode_all(FRAME.pack(MAX_FRAME + 1, 2))


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "records.sock")
    yield made
    made.close()


def received(receiver: Receiver, count: int) -> list[Frame]:
    frames: list[Frame] = []
    for _ in range(50):
        if len(frames) < count:
            frames += receiver.receive(1.0)
    return frames


def connected(path: Path, epoch: int, next_sequence: int) -> Sender:
    sender = Sender(path, epoch)
    assert sender.connect(next_sequence)
    return sender


def test_offered_record_arrives(receiver: Receiver, tmp_path: Path) -> None:
    sender = connected(tmp_path / "records.sock", 3, 1)
    assert sender.offer(record(1))
    sender.flush()
    assert received(receiver, 2) == [Hello(3, 1), record(1)]
    sender.disconnect()


def test_new_proxy_is_read_after_everything_that_the_old_one_sent(receiver: Receiver, tmp_path: Path) -> None:
    old = connected(tmp_path / "records.sock", 3, 1)
    assert old.offer(record(1, b"x" * 10_000))
    old.flush()
    new = connected(tmp_path / "records.sock", 4, 2)
    new.flush()
    assert received(receiver, 3) == [Hello(3, 1), record(1, b"x" * 10_000), Hello(4, 2)]
    old.disconnect()
    new.disconnect()


def test_a_connection_that_cannot_be_accepted_is_reported_and_accepted_later(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotfish.sidecar.channel.receiver.PAUSE_SECONDS", 0.05)
    sender = connected(tmp_path / "records.sock", 3, 1)
    sender.flush()
    accepts = []
    with no_free_descriptor():
        for _ in range(3):  # each waits: a listener that is polled on would return at once, and use a whole core
            assert list(receiver.receive(1.0)) == []
            accepts.append(receiver.connected)
        assert "Too many open files" in receiver.problem
        assert "raise the limit of open files" in receiver.problem
    assert accepts == [False, False, False]
    assert received(receiver, 1) == [Hello(3, 1)]
    assert receiver.problem == ""
    sender.disconnect()


def test_a_connection_without_a_descriptor_is_not_polled_in_vain(receiver: Receiver, tmp_path: Path) -> None:
    sender = connected(tmp_path / "records.sock", 3, 1)
    with no_free_descriptor():
        began = time.process_time()
        assert list(receiver.receive(1.0)) == []
        tries = 0
        while time.process_time() - began < 0.02 and tries < 3:  # a wait of PAUSE_SECONDS uses no CPU time
            assert list(receiver.receive(0.01)) == []
            tries += 1
    assert tries == 3
    sender.disconnect()


def test_invalid_frames_close_the_connection(receiver: Receiver, tmp_path: Path) -> None:
    stranger = connected(tmp_path / "records.sock", 3, 1)
    stranger._hello = b"GET / HTTP/1.1\r\n\r\n"
    stranger.flush()
    while not receiver.problem:
        assert list(receiver.receive(1.0)) == []
    assert (receiver.rejected, receiver.connected) == ({"frame": 1}, False)
    stranger.disconnect()
    sender = connected(tmp_path / "records.sock", 3, 1)
    sender.flush()
    assert received(receiver, 1) == [Hello(3, 1)]
    sender.disconnect()


def of_version(version: int, raw: bytes) -> bytes:
    """Return the frame `raw` with another version number."""
    return raw[: FRAME.size] + version.to_bytes(2, "little") + raw[FRAME.size + 2 :]


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1], ids=["older proxy", "newer proxy"])
def test_proxy_of_another_version_is_rejected_and_its_hello_is_yielded(
    receiver: Receiver, tmp_path: Path, version: int
) -> None:
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.connect(str(tmp_path / "records.sock"))
        proxy.sendall(encode_hello(Hello(3, 7, version)) + of_version(version, encoded(record(7))))
        assert received(receiver, 1) == [Hello(3, 7, version)]
    assert f"version {version}, this is {VERSION}" in receiver.problem
    assert (receiver.rejected, receiver.connected) == ({"version": 1}, False)


def test_layout_of_hello_is_the_same_in_every_version() -> None:
    size, kind, version, epoch, next_sequence = struct.unpack(
        "<IBHQQ", encode_hello(Hello(3, 7))
    )  # the layout of version 1
    assert (size, kind, version, epoch, next_sequence) == (18, 1, VERSION, 3, 7)


def test_record_of_another_version_is_rejected() -> None:
    with pytest.raises(VersionError, match="one image"):
        decode_all(encode_hello(Hello(3, 1)), of_version(VERSION + 1, encoded(record(1))))


def test_wake_ends_a_wait(receiver: Receiver) -> None:
    receiver.wake()
    receiver.wake()
    assert list(receiver.receive(30.0)) == []


def test_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        made = Receiver(tmp_path / "records.sock")
        made._listener.close()
        made._path = tmp_path / "elsewhere"  # as after SIGKILL: the socket file stays
        made.close()
    assert (tmp_path / "records.sock").exists()


def test_error_for_a_long_path_states_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="short path"):
        Receiver(tmp_path / ("x" * 120) / "records.sock")


def test_finish_reads_what_was_sent_and_the_next_reader_gets_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "records.sock"
    first = Receiver(path)
    sender = connected(path, 3, 1)
    for sequence in range(1, 400):
        assert sender.offer(record(sequence, b"x" * 5000))
    sender.flush()
    frames = received(first, 2) + list(first.finish())
    first.close()
    second = Receiver(path)
    assert sender.reader_closed()
    sender.disconnect()
    assert sender.connect(400)
    while not (isinstance(frames[-1], Record) and frames[-1].sequence == 399):
        sender.flush()
        frames += second.receive(1.0)
    second.close()
    assert [item.sequence for item in frames if isinstance(item, Record)] == list(range(1, 400))
    sender.disconnect()
