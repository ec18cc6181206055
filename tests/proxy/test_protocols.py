"""The first bytes choose the parser, however they are cut, and no byte waits for the choice."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.proxy.protocols import PROTOCOLS, ProtocolDetector
from pilotfish.sidecar.wire.exchange import Exchange
from pilotfish.sidecar.wire.http1.tracker import Tracker
from pilotfish.sidecar.wire.opaque import OpaqueParser
from tests.integration.transcript import Notes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Bytes(Notes):
    """Counts the bytes of an opaque connection, too."""

    def __init__(self) -> None:
        super().__init__(capture=False)
        self.passed = [0, 0]
        self.started: list[int] = []

    def requested(self, exchange: Exchange) -> None:
        self.started.append(exchange.started)

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        self.passed[0] += from_client
        self.passed[1] += from_server


def detected(data: bytes, size: int) -> tuple[Bytes, ProtocolDetector[Exchange]]:
    notes = Bytes()
    detector = ProtocolDetector(notes, Exchange)
    for at in range(0, len(data), size):
        detector.client(memoryview(data[at : at + size]), at + 1)
    return notes, detector


@pytest.mark.parametrize("size", [1, 2, 3, 13, 14, 100])
@pytest.mark.parametrize(
    ("data", "reason"),
    [(PREFACE, ["http2"]), (b"\x16\x03\x01\x02\x00", ["tls"]), (b"PRI * HTTP/2.1\r\n\r\n", ["malformed"])],
)
def test_what_is_not_parsed_is_opaque_with_its_reason(data: bytes, reason: list[str], size: int) -> None:
    notes, _ = detected(data, size)
    assert notes.opaque == reason


@pytest.mark.parametrize("size", [1, 5, 14])
def test_every_byte_of_a_recognised_protocol_is_counted(size: int) -> None:
    notes, detector = detected(PREFACE, size)
    detector.server(memoryview(b"12345"), 99)
    detector.server_ended(100)
    detector.closed(101)
    assert notes.passed == [len(PREFACE), 5]
    assert isinstance(detector.parser, OpaqueParser)


@pytest.mark.parametrize("method", [b"P", b"PR", b"PRI", b"POST", b"GET"])
def test_a_request_begins_when_its_first_byte_came(method: bytes) -> None:
    notes, detector = detected(method + b" /x HTTP/1.1\r\n\r\n", 1)
    assert notes.started == [1]
    assert isinstance(detector.parser, Tracker)


def test_a_server_that_speaks_first_belongs_to_the_last_row() -> None:
    notes, detector = detected(b"PRI", 1)
    detector.server(memoryview(b"220 hello"), 9)
    assert (notes.opaque, isinstance(detector.parser, Tracker)) == (["unmatched"], True)


def test_the_caller_is_handed_the_parser_as_soon_as_it_is_known() -> None:
    detector = ProtocolDetector(Bytes(), Exchange)
    assert detector.client(memoryview(b"P"), 1) is None
    following = detector.client(memoryview(b"UT / HTTP/1.1\r\n\r\n"), 2)
    assert detector.parser is not None
    assert following == detector.parser.client
    assert detector.server(memoryview(b"HTTP/1.1 200 OK\r\n"), 3) == detector.parser.server


def test_a_detector_that_failed_before_it_chose_is_opaque() -> None:
    notes, detector = detected(b"P", 1)
    detector.abandon()
    detector.client(memoryview(b"OST"), 2)
    detector.closed(3)
    assert (notes.opaque, notes.passed) == (["internal"], [3, 0])


def test_the_last_row_fits_everything() -> None:
    assert PROTOCOLS[-1].preface == b""
