"""Processes of the same user that send other things than records, or never read: the proxy's records still arrive."""

from __future__ import annotations

import random
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.channel.receiver import MOST_WAITING, FrameDecoder, Receiver, check_handshake
from pilotfish.sidecar.channel.record import FRAME, MAX_FRAME, Frame, FrameError, Hello, Record, encode_hello
from pilotfish.sidecar.channel.record import encode_record as frame_pieces
from pilotfish.sidecar.channel.sender import Sender
from tests.support.examples import examples
from tests.support.records import make_record

ACCEPTED = at.outcome_word("accepted")


def encoded(sequence: int, body: bytes = b"{}") -> bytes:
    return b"".join(frame_pieces(make_record(sequence, body)))


class Channel:
    """A counter page, the proxy's sender and the analyzer's receiver in one folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "records.sock"
        self.page = CounterPage.open(folder / "page", now_ns=7)
        self.epoch = self.page.words[at.AT_EPOCH]
        self.receiver = Receiver(self.path, partial(check_handshake, folder / "page"))
        self.sender = Sender(self.path, self.epoch)
        self.frames: list[Frame] = []

    def send(self) -> None:
        """Send one record as the proxy does, connecting again where the connection was closed."""
        if self.sender.connected and self.sender.reader_closed():
            self.sender.disconnect()
        self.sender.connect(self.page.words[ACCEPTED] + 1)
        sequence = self.page.words[ACCEPTED] + 1
        assert self.sender.offer(make_record(sequence))
        self.page.add(ACCEPTED)
        self.sender.flush()

    def read(self) -> None:
        """Read until nothing waits."""
        idle = 0
        while idle < 3:
            found = list(self.receiver.receive(0.0))
            self.frames += found
            idle = 0 if found else idle + 1

    @property
    def sequences(self) -> list[int]:
        """The numbers of the records that were read."""
        return [frame.sequence for frame in self.frames if isinstance(frame, Record)]

    def stranger(self, sent: bytes = b"") -> socket.socket:
        """A connection of another process of this user that sends bytes and stays open."""
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(str(self.path))
        stream.setblocking(False)
        with suppress(BlockingIOError, ConnectionError):
            stream.sendall(sent)
        return stream

    def close(self) -> None:
        """Close all parts."""
        self.sender.disconnect()
        self.receiver.close()
        self.page.close()


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[Channel]:
    made = Channel(tmp_path)
    yield made
    made.close()


STREAMS = {
    "nothing": b"",
    "half a header": b"\x12\0",
    "half a handshake": encode_hello(Hello(7, 1))[:-3],
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "zeros": bytes(100_000),
    "oversized": FRAME.pack(2**32 - 1, 2),
    "the largest frame": FRAME.pack(MAX_FRAME, 2) + bytes(60_000),
    "unknown kind": FRAME.pack(3, 99) + b"abc",
    "a record without a handshake": encoded(1),
    "another epoch": encode_hello(Hello(8, 1)),
    "a number that no proxy has": encode_hello(Hello(7, 2**63)),
    "records to come": encode_hello(Hello(7, 1000)) + encoded(1000),
    "tiny frames": FRAME.pack(0, 1) * 20_000,
}


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS.keys())
def test_a_stranger_neither_ends_the_proxys_connection_nor_changes_its_numbers(channel: Channel, sent: bytes) -> None:
    channel.send()
    channel.read()
    with channel.stranger(sent):
        channel.read()
        for _ in range(3):
            channel.send()
        channel.read()
    assert channel.frames[0] == Hello(channel.epoch, 1)
    assert channel.sequences == [1, 2, 3, 4]
    assert sum(isinstance(frame, Hello) for frame in channel.frames) == 1
    assert (channel.receiver.rejected.total() > 0) == (sent not in [STREAMS["nothing"], *STREAMS_THAT_WAIT])
    assert bool(channel.receiver.problem) == bool(channel.receiver.rejected)


STREAMS_THAT_WAIT = (STREAMS["half a header"], STREAMS["half a handshake"])


def test_many_connections_leave_the_proxy_its_own(channel: Channel) -> None:
    channel.send()
    with ExitStack() as stack:
        for index in range(20 * MOST_WAITING):
            stack.enter_context(channel.stranger(b"\x12" * (index % 3)))
            channel.read()
            if index % 50 == 0:
                channel.send()
        channel.read()
        assert channel.receiver.rejected["no_handshake"] == 19 * MOST_WAITING
        assert "times or more" in channel.receiver.problem
    assert channel.sequences == list(range(1, channel.page.words[ACCEPTED] + 1))


def test_a_proxy_that_is_killed_within_a_record_is_followed_by_the_next_one(channel: Channel) -> None:
    channel.send()
    channel.read()
    channel.sender.disconnect()
    channel.page.add(ACCEPTED)
    raw = encode_hello(Hello(channel.epoch, 2)) + encoded(2, b"x" * 5000)
    for cut in (10, 30, 200, len(raw) - 1):
        channel.stranger(raw[:cut]).close()
        channel.read()
    channel.send()
    channel.read()
    assert channel.sequences == [1, 3]
    assert channel.frames[-2] == Hello(channel.epoch, 3)


def test_a_record_out_of_order_is_refused(channel: Channel) -> None:
    for _ in range(5):
        channel.page.add(ACCEPTED)
    for second in (1, 3, 2**63):
        with channel.stranger(encode_hello(Hello(channel.epoch, 1)) + encoded(1) + encoded(second)):
            channel.read()
    assert channel.sequences == [1, 1, 1]
    assert channel.receiver.rejected == {"frame": 3}


def test_a_frame_that_drips_takes_the_memory_of_its_bytes() -> None:
    size = 50_000
    decoder = FrameDecoder()
    list(decoder.feed(encode_hello(Hello(7, 1)) + FRAME.pack(size + 10, 2)))
    tracemalloc.start()
    try:
        for _ in range(size):
            assert not list(decoder.feed(b"x"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * size


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1))
@settings(max_examples=examples(300), deadline=None)
def test_a_damaged_record_is_a_record_or_a_frame_error(damage: bytes, seed: int) -> None:
    raw = bytearray(encoded(1, b"body" * 20))
    place = random.Random(seed).randrange(FRAME.size, len(raw))
    raw[place : place + len(damage)] = damage
    decoder = FrameDecoder()
    with suppress(FrameError):
        for frame in decoder.feed(encode_hello(Hello(7, 1)) + raw):
            assert isinstance(frame, Hello) or frame.sequence == 1


def test_a_reader_that_sends_bytes_is_disconnected_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        sender = Sender(tmp_path / "s", 7)
        for _ in range(5):
            assert sender.connect(1)
            reader, _ = listener.accept()
            with reader:
                reader.sendall(b"garbage" * 1000)
                assert sender.reader_closed()
            sender.disconnect()
    assert len(caplog.records) == 1


def test_a_reader_that_stops_reading_costs_the_queue_and_no_more(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        sender = Sender(tmp_path / "s", 7, limit=1_000_000)
        assert sender.connect(1)
        for sequence in range(1, 2000):
            sender.offer(make_record(sequence, bytes(5000)))
            assert sender.flush()
        assert 900_000 < sender.queued_bytes <= 1_000_000
        sender.disconnect()
