"""Frames of records, and the sender: bounded queue, handshake, and the change of readers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel.record import (
    FRAME,
    Frame,
    FrameError,
    Hello,
    Record,
    decode,
    encode_hello,
    encode_record,
)
from pilotfish.sidecar.channel.sender import WRITE_BYTES, Sender
from tests.support.examples import examples
from tests.support.limits import no_free_descriptor
from tests.support.records import make_record

text = st.text(max_size=20)
records = st.builds(
    Record,
    **dict.fromkeys(
        ("sequence", "at_ns", "first_byte_ns", "duration_ns", "request_bytes", "response_bytes"),
        st.integers(0, 2**64 - 1),
    ),
    **dict.fromkeys(("status", "flags", "listener"), st.integers(0, 2**16 - 1)),
    protocol=st.sampled_from(["http/1.1", "h2"]),
    method=st.sampled_from(["POST", "PUT"]),
    target=st.text(st.characters(max_codepoint=255), max_size=20),
    route=text,
    **dict.fromkeys(
        (f"{message}_{part}" for message in ("request", "response") for part in ("headers", "body", "trailers")),
        st.binary(max_size=100),
    ),
)


def record(sequence: int, size: int = 10) -> Record:
    return make_record(sequence, bytes(size))


def frames(data: bytes) -> list[Frame]:
    found = []
    while len(data) >= FRAME.size:
        size, kind = FRAME.unpack_from(data)
        if len(data) < FRAME.size + size:
            break
        found.append(decode(kind, data[FRAME.size : FRAME.size + size]))
        data = data[FRAME.size + size :]
    return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen()
        yield sock


def drain(reader: socket.socket) -> bytes:
    reader.setblocking(False)
    data = b""
    while True:
        try:
            portion = reader.recv(1 << 20)
        except BlockingIOError:
            return data
        if not portion:
            return data
        data += portion


pieces = st.lists(st.binary(max_size=50) | st.just(bytes(40_000)), max_size=4)


@given(records, pieces, pieces)
def test_record_round_trips_through_its_frame(record: Record, request_body: list[bytes], down: list[bytes]) -> None:
    frame = encode_record(record, request_body, down)
    whole = record._replace(
        request_body=record.request_body + b"".join(request_body), response_body=record.response_body + b"".join(down)
    )
    assert frames(b"".join(frame)) == [whole]
    assert all(any(piece is buffer for buffer in frame) for piece in (*request_body, *down) if len(piece) > 32 * 1024)


@given(st.integers(0, 9), st.binary(max_size=200))
def test_any_payload_is_a_frame_or_a_frame_error(kind: int, payload: bytes) -> None:
    try:
        decode(kind, payload)
    except FrameError as error:
        assert "channel" in str(error)  # noqa: PT017 - every other error fails the test


def test_frame_of_another_version_is_rejected() -> None:
    payload = bytearray(encode_hello(Hello(1, 2))[FRAME.size :])
    payload[0] += 1
    with pytest.raises(FrameError, match="one image"):
        decode(1, bytes(payload))


def test_without_a_reader_no_record_is_queued(tmp_path: Path) -> None:
    sender = Sender(tmp_path / "nobody", epoch=1)
    assert not sender.connect(1)
    assert not sender.offer(record(1))
    assert sender.queued_bytes == 0


def test_a_connect_that_fails_is_logged_once_with_its_cause_and_repeated(
    tmp_path: Path, listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Sender(tmp_path / "s", epoch=1)
    with no_free_descriptor():
        assert not sender.connect(1)
        assert not sender.connect(1)
    (line,) = caplog.messages
    assert "records are not sent to" in line
    assert "Too many open files; trying again" in line
    assert sender.connect(1)
    sender.disconnect()


def test_an_absent_reader_is_no_fault_of_the_channel(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "dead").touch()
    assert not Sender(tmp_path / "nobody", epoch=1).connect(1)
    assert not Sender(tmp_path / "dead", epoch=1).connect(1)
    assert caplog.messages == []


def test_reader_receives_the_handshake_and_then_every_record_in_order(tmp_path: Path, listener: socket.socket) -> None:
    sender = Sender(tmp_path / "s", epoch=9)
    assert sender.connect(5)
    for sequence in (5, 6, 7):
        assert sender.offer(record(sequence))
    assert sender.flush()
    reader, _ = listener.accept()
    with reader:
        assert frames(drain(reader)) == [Hello(9, 5), record(5), record(6), record(7)]
    assert (sender.pending, sender.queued_bytes) == (False, 0)
    sender.disconnect()


def test_one_flush_writes_a_bounded_number_of_bytes(tmp_path: Path, listener: socket.socket) -> None:
    sender = Sender(tmp_path / "s", epoch=9)
    sender.connect(1)
    reader, _ = listener.accept()
    pieces = [bytes([number]) * 60_000 for number in range(20)]
    assert sender.offer(record(1), pieces[:10], pieces[10:])
    data, flushes = b"", 0
    with reader:
        while sender.pending:
            assert sender.flush()
            portion = drain(reader)
            assert len(portion) <= WRITE_BYTES + 64
            data, flushes = data + portion, flushes + 1
    assert flushes >= 1_200_000 // WRITE_BYTES
    (_, received) = frames(data)
    assert isinstance(received, Record)
    assert (received.request_body, received.response_body) == (bytes(10) + b"".join(pieces[:10]), b"".join(pieces[10:]))
    assert sender.queued_bytes == 0
    sender.disconnect()


@given(st.lists(st.lists(st.integers(0, 300_000), max_size=4), min_size=1, max_size=6), st.data())
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_arrive_whole_and_in_order_whatever_each_reader_takes(
    tmp_path: Path, sizes: list[list[int]], data: st.DataObject
) -> None:
    path = tmp_path / "p"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as stack:
        listener.bind(str(path))
        listener.listen()
        sender = Sender(path, epoch=9, limit=1 << 30)
        stack.callback(sender.disconnect)  # also when Hypothesis stops an example
        sender.connect(1)
        for sequence, pieces in enumerate(sizes, 1):
            assert sender.offer(record(sequence), [bytes([sequence]) * size for size in pieces])
        seen: list[Frame] = []
        while sender.pending:
            reader, _ = listener.accept()
            with reader:
                received = b""
                for _ in range(data.draw(st.integers(1, 12))):
                    sender.flush(data.draw(st.sampled_from([1000, 100_000, WRITE_BYTES])))
                    received += drain(reader)
                (hello, *found) = frames(received)
                assert hello == Hello(9, len(seen) + 1)
                seen += found
            if sender.pending:
                sender.disconnect()
                sender.connect(len(sizes) + 1)
        assert [frame.sequence for frame in seen if isinstance(frame, Record)] == list(range(1, len(sizes) + 1))
        for frame, pieces in zip(seen, sizes, strict=True):
            assert isinstance(frame, Record)
            assert frame.request_body == bytes(10) + bytes([frame.sequence]) * sum(pieces)


def test_full_queue_drops_records_until_the_reader_continues(tmp_path: Path, listener: socket.socket) -> None:
    sender = Sender(tmp_path / "s", epoch=9, limit=100_000)
    sender.connect(1)
    taken = [sequence for sequence in range(1, 2000) if sender.offer(record(sequence, 10_000)) and sender.flush()]
    assert 10 < len(taken) < 1000
    reader, _ = listener.accept()
    with reader:
        data = drain(reader)
        while sender.pending:
            sender.flush()
            data += drain(reader)
        assert [frame.sequence for frame in frames(data)[1:] if isinstance(frame, Record)] == taken
        assert sender.offer(record(2000, 10_000))
    sender.disconnect()


def test_next_reader_gets_the_incomplete_frame_and_all_later_ones(tmp_path: Path, listener: socket.socket) -> None:
    sender = Sender(tmp_path / "s", epoch=9)
    sender.connect(1)
    for sequence in range(1, 6):
        assert sender.offer(record(sequence, 300_000))
    sender.flush()  # the socket takes less than one of these
    first, _ = listener.accept()
    seen = [frame.sequence for frame in frames(drain(first))[1:] if isinstance(frame, Record)]
    first.close()
    assert sender.reader_closed()
    sender.disconnect()
    assert not sender.offer(record(6))
    assert sender.connect(6)
    second, _ = listener.accept()
    with second:
        data = b""
        while sender.pending:
            sender.flush()
            data += drain(second)
        hello, *rest = frames(data)
        assert hello == Hello(9, len(seen) + 1)
        assert seen + [frame.sequence for frame in rest if isinstance(frame, Record)] == [1, 2, 3, 4, 5]
    sender.disconnect()
