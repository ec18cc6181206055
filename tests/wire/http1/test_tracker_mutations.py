"""Damaged streams: the tracker may stop parsing, but never raises, loses no exchange and reports no wrong one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration import cases_ends, cases_http, oracle
from tests.integration.case import Case
from tests.integration.transcript import Event, track, transcript
from tests.support.examples import examples

CASES = [case for case in (*cases_ends.CASES, *cases_http.CASES) if case.lockstep and case.clean and case.total]
LINES = (b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"GET / HTTP/1.1\r\n\r\n")
WORDS = (b"chunked", b"HTTP/1.1", b"HTTP/1.0 ", b"100", b"204", b"0", b"1", b"9")
SIGNS = (b"", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b";", b",", b"\0", b"\xff")

Damage = tuple[int, int, int, bytes]  # index of the event, position, number of bytes to remove, bytes to insert

DAMAGES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 400), st.integers(0, 6), st.sampled_from((*LINES, *WORDS, *SIGNS))),
    min_size=1,
    max_size=3,
)


def damaged(events: list[Event], damages: list[Damage]) -> list[Event]:
    """Return the events with the damages applied: bytes removed and inserted."""
    result = list(events)
    for number, at, removed, piece in damages:
        index = number % len(result)
        side, data = result[index]
        if data:
            start = at % len(data)
            result[index] = Event(side, data[:start] + piece + data[start + removed :])
    return [event for event in result if event.data != b""]


@settings(max_examples=examples(400), deadline=None)
@given(case=st.sampled_from(CASES), damages=DAMAGES)
def test_damaged_streams_are_parsed_correctly_or_not_at_all(case: Case, damages: list[Damage]) -> None:
    events = damaged(transcript(case).events, damages)
    listener = track(events)
    assert len(listener.finished_exchanges) == listener.requested_count
    assert len(listener.opaque) <= 1
    if listener.opaque:
        return
    up, down = (b"".join(data for side, data in events if data and side == name) for name in ("client", "server"))
    ended = any(side == "server" and data is None for side, data in events)
    seen = oracle.read(up, down, server_ended=ended).exchanges()
    complete = [
        (method, status, *bodies) for method, status, whole, _, _, bodies in listener.finished_exchanges if whole
    ]
    # h11 stops at the first message that it rejects, so only the common prefix is compared
    assert complete[: len(seen)] == seen[: len(complete)]


@settings(max_examples=examples(300), deadline=None)
@given(pieces=st.lists(st.tuples(st.sampled_from(("client", "server")), st.binary(max_size=300)), max_size=12))
def test_random_bytes_never_raise(pieces: list[tuple[str, bytes]]) -> None:
    listener = track([Event(side, data) for side, data in pieces if data])
    assert len(listener.finished_exchanges) == listener.requested_count
