"""Frames come out whole, however the bytes are cut; connections come and go."""

from __future__ import annotations

import socket
import struct
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
from tests.support.records import make_record


def record(sequence: int, body: bytes = b"{}") -> Record:
    return make_record(sequence, body)


FRAMES: list[Frame] = [Hello(3, 1), record(1), record(2, b"x" * 300), record(3, b"")]
RAW = b"".join(encode_hello(item) if isinstance(item, Hello) else encode_record(item) for item in FRAMES)


def fed(*pieces: bytes) -> list[Frame]:
    splitter = FrameDecoder()
    return [frame for piece in pieces for frame in splitter.feed(piece)]


def test_every_cut_gives_the_same_frames() -> None:
    for cut in range(len(RAW) + 1):
        assert fed(RAW[:cut], RAW[cut:]) == FRAMES


def test_single_bytes_give_the_same_frames() -> None:
    assert fed(*(RAW[at : at + 1] for at in range(len(RAW)))) == FRAMES


@given(st.lists(st.integers(0, len(RAW)), max_size=12))
@settings(max_examples=examples(200), deadline=None)
def test_any_chunks_give_the_same_frames(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(RAW)]
    assert fed(*(RAW[a:b] for a, b in pairwise(edges))) == FRAMES


@given(st.binary(max_size=200))
@settings(max_examples=examples(300), deadline=None)
def test_strange_bytes_are_frames_or_an_error_of_ours(raw: bytes) -> None:
    try:
        fed(raw[:50], raw[50:])
    except FrameError:
        pass  # the only way out


def test_a_frame_that_claims_too_much_is_refused_at_its_head() -> None:
    with pytest.raises(FrameError, match="limit"):
        fed(FRAME.pack(MAX_FRAME + 1, 2))


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


def connected(path: Path, epoch: int, upcoming: int) -> Sender:
    sender = Sender(path, epoch)
    assert sender.connect(upcoming)
    return sender


def test_what_a_sender_offers_arrives(receiver: Receiver, tmp_path: Path) -> None:
    sender = connected(tmp_path / "records.sock", 3, 1)
    assert sender.offer(record(1))
    sender.flush()
    assert received(receiver, 2) == [Hello(3, 1), record(1)]
    sender.disconnect()


def test_a_new_proxy_is_heard_after_all_that_the_old_one_sent(receiver: Receiver, tmp_path: Path) -> None:
    old = connected(tmp_path / "records.sock", 3, 1)
    assert old.offer(record(1, b"x" * 10_000))
    old.flush()
    new = connected(tmp_path / "records.sock", 4, 2)
    new.flush()
    assert received(receiver, 3) == [Hello(3, 1), record(1, b"x" * 10_000), Hello(4, 2)]
    old.disconnect()
    new.disconnect()


def test_a_guest_that_speaks_otherwise_is_shown_out(receiver: Receiver, tmp_path: Path) -> None:
    guest = connected(tmp_path / "records.sock", 3, 1)
    guest._hello = b"GET / HTTP/1.1\r\n\r\n"
    guest.flush()
    while not receiver.problem:
        assert list(receiver.receive(1.0)) == []
    assert (receiver.broken_total, receiver.connected) == (1, False)
    guest.disconnect()
    sender = connected(tmp_path / "records.sock", 3, 1)
    sender.flush()
    assert received(receiver, 1) == [Hello(3, 1)]
    sender.disconnect()


def of_version(version: int, raw: bytes) -> bytes:
    """Return the frame `raw` as another version marks it."""
    return raw[: FRAME.size] + version.to_bytes(2, "little") + raw[FRAME.size + 2 :]


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1], ids=["older proxy", "newer proxy"])
def test_a_proxy_of_another_version_is_refused_and_its_hello_is_known(
    receiver: Receiver, tmp_path: Path, version: int
) -> None:
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.connect(str(tmp_path / "records.sock"))
        proxy.sendall(encode_hello(Hello(3, 7, version)) + of_version(version, encode_record(record(7))))
        assert received(receiver, 1) == [Hello(3, 7, version)]
    assert f"version {version}, this is {VERSION}" in receiver.problem
    assert (receiver.broken_total, receiver.connected) == (1, False)


def test_every_version_can_read_the_hello_of_every_other_one() -> None:
    size, kind, version, epoch, upcoming = struct.unpack("<IBHQQ", encode_hello(Hello(3, 7)))  # as version 1 does
    assert (size, kind, version, epoch, upcoming) == (18, 1, VERSION, 3, 7)


def test_a_record_of_another_version_is_refused() -> None:
    with pytest.raises(VersionError, match="one image"):
        fed(of_version(VERSION + 1, encode_record(record(1))))


def test_a_wait_ends_when_it_is_woken(receiver: Receiver) -> None:
    receiver.wake()
    receiver.wake()
    assert list(receiver.receive(30.0)) == []


def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        made = Receiver(tmp_path / "records.sock")
        made._listener.close()
        made._path = tmp_path / "elsewhere"  # as after a kill: the socket's file stays
        made.close()
    assert (tmp_path / "records.sock").exists()


def test_a_path_that_is_too_long_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="short path"):
        Receiver(tmp_path / ("x" * 120) / "records.sock")


def test_the_end_takes_what_was_sent_and_the_rest_goes_to_the_next_reader(tmp_path: Path) -> None:
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
