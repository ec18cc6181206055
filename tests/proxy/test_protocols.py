"""The first bytes select the parser, however they are split, and every byte is counted."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.proxy.protocols import PROTOCOLS, ProtocolDetector
from pilotfish.sidecar.wire.budget import ParseBudget
from pilotfish.sidecar.wire.exchange import Exchange
from pilotfish.sidecar.wire.http1.tracker import Tracker
from pilotfish.sidecar.wire.opaque import OpaqueParser
from tests.integration.transcript import RecordingListener

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class ByteCountingListener(RecordingListener):
    """Also counts the bytes of an opaque connection, and records when requests start."""

    def __init__(self) -> None:
        super().__init__(capture=False)
        self.forwarded = [0, 0]
        self.started: list[int] = []

    def requested(self, exchange: Exchange) -> None:
        self.started.append(exchange.started)

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        self.forwarded[0] += from_client
        self.forwarded[1] += from_server


def detected(data: bytes, size: int) -> tuple[ByteCountingListener, ProtocolDetector[Exchange]]:
    listener = ByteCountingListener()
    detector = ProtocolDetector(listener, Exchange, ParseBudget())
    for at in range(0, len(data), size):
        detector.client(memoryview(data[at : at + size]), at + 1)
    return listener, detector


@pytest.mark.parametrize("size", [1, 2, 3, 13, 14, 100])
@pytest.mark.parametrize(
    ("data", "reason"),
    [(PREFACE, ["http2"]), (b"\x16\x03\x01\x02\x00", ["tls"]), (b"PRI * HTTP/2.1\r\n\r\n", ["malformed"])],
)
def test_unparsed_protocol_is_opaque_with_a_reason(data: bytes, reason: list[str], size: int) -> None:
    listener, _ = detected(data, size)
    assert listener.opaque == reason


@pytest.mark.parametrize("size", [1, 5, 14])
def test_every_byte_of_a_recognised_protocol_is_counted(size: int) -> None:
    listener, detector = detected(PREFACE, size)
    detector.server(memoryview(b"12345"), 99)
    detector.server_ended(100)
    detector.closed(101)
    assert listener.forwarded == [len(PREFACE), 5]
    assert isinstance(detector.parser, OpaqueParser)


@pytest.mark.parametrize("method", [b"P", b"PR", b"PRI", b"POST", b"GET"])
def test_request_starts_at_the_time_of_its_first_byte(method: bytes) -> None:
    listener, detector = detected(method + b" /x HTTP/1.1\r\n\r\n", 1)
    assert listener.started == [1]
    assert isinstance(detector.parser, Tracker)


def test_server_that_sends_first_selects_the_last_row() -> None:
    listener, detector = detected(b"PRI", 1)
    detector.server(memoryview(b"220 hello"), 9)
    assert (listener.opaque, isinstance(detector.parser, Tracker)) == (["unmatched"], True)


def test_caller_receives_the_parser_as_soon_as_it_is_known() -> None:
    detector = ProtocolDetector(ByteCountingListener(), Exchange, ParseBudget())
    assert detector.client(memoryview(b"P"), 1) is None
    following = detector.client(memoryview(b"UT / HTTP/1.1\r\n\r\n"), 2)
    assert detector.parser is not None
    assert following == detector.parser.client
    assert detector.server(memoryview(b"HTTP/1.1 200 OK\r\n"), 3) == detector.parser.server


def test_detector_that_failed_before_selection_is_opaque() -> None:
    listener, detector = detected(b"P", 1)
    detector.abandon()
    detector.client(memoryview(b"OST"), 2)
    detector.closed(3)
    assert (listener.opaque, listener.forwarded) == (["internal"], [3, 0])


def test_last_row_matches_everything() -> None:
    assert PROTOCOLS[-1].preface == b""
