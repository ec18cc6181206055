"""The state table against the tracker: every transition on random bytes is in the table, and every row occurs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.proxy.protocols import ProtocolDetector
from pilotfish.sidecar.wire.budget import ParseBudget
from pilotfish.sidecar.wire.exchange import Exchange
from pilotfish.sidecar.wire.http1.exchange_states import INITIAL, TRANSITIONS, ExchangeState, state_of
from tests.integration import cases_ends, cases_http, cases_opaque
from tests.integration.transcript import Event, transcript
from tests.wire.http1.test_tracker_mutations import DAMAGES, damaged

CASES = [
    case
    for case in (*cases_ends.CASES, *cases_http.CASES, *cases_opaque.CASES)
    if case.lockstep and transcript(case).events
]
POST = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
PIECES = (
    POST,
    POST + b"body",
    b"body",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n",
    b"CONNECT h:1 HTTP/1.1\r\n\r\n",
    OK,
    OK + b"ok",
    b"ok",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"\0",
)


class Traced(Exchange):
    """Records its states. The listener sets `finished`."""

    finished = False

    def __init__(self, *args: Any) -> None:
        self.path = [INITIAL]
        super().__init__(*args)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in {"status", "request_complete", "response_complete", "finished"}:
            state = state_of(self, finished=self.finished)
            if state != self.path[-1]:
                self.path.append(state)


class Listener:
    def __init__(self) -> None:
        self.exchanges: list[Traced] = []

    def requested(self, exchange: Traced) -> None:
        self.exchanges.append(exchange)

    def answered(self, exchange: Traced) -> None:
        pass

    def streamed(self, exchange: Traced, now: int, first: bool, events: int) -> None:
        pass

    def finished(self, exchange: Traced) -> None:
        exchange.finished = True

    def went_opaque(self, reason: str) -> None:
        pass

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        pass


def paths(events: list[Event]) -> list[list[ExchangeState]]:
    """Return the states of each exchange that the tracker finds in the events."""
    listener = Listener()
    parser = ProtocolDetector(listener, Traced, ParseBudget())
    for now, (side, data) in enumerate(events, 1):
        if data is not None:
            (parser.client if side == "client" else parser.server)(memoryview(data), now)
        elif side == "server":
            parser.server_ended(now)
    parser.closed(len(events) + 1)
    return [exchange.path for exchange in listener.exchanges]


def changes(path: list[ExchangeState]) -> set[tuple[ExchangeState, ExchangeState]]:
    return set(pairwise(path))


TABLE = {(state, following) for state, moves in TRANSITIONS.items() for following in moves.values()}


def require_legal(path: list[ExchangeState]) -> None:
    assert changes(path) <= TABLE, path
    assert path[-1] in {ExchangeState.COMPLETE, ExchangeState.ABORTED}


@given(st.lists(st.tuples(st.sampled_from(("client", "server")), st.sampled_from(PIECES)), max_size=10))
def test_any_order_of_messages_follows_the_table(pieces: list[tuple[str, bytes]]) -> None:
    for path in paths([Event(side, data) for side, data in pieces]):
        require_legal(path)


@given(st.sampled_from(CASES), DAMAGES, st.integers(1, 40))
def test_damaged_streams_follow_the_table(case: Any, damages: Any, size: int) -> None:
    events = damaged(transcript(case).events, damages)
    cut = [
        Event(side, data[at : at + size] if data is not None else None)
        for side, data in events
        for at in range(0, len(data or b"x"), size)
    ]
    for path in paths(cut):
        require_legal(path)


def test_every_transition_of_the_table_occurs() -> None:
    upgrade = b"POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n"
    switched = [Event("client", upgrade), Event("server", b"HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    early = [Event("client", POST), Event("server", OK), Event("client", b"body"), Event("server", b"ok")]
    scripts = [*(transcript(case).events for case in CASES), switched, early, early[:2], [*early[:2], early[3]]]
    seen = set().union(*(changes(path) for events in scripts for path in paths(events)))
    assert seen == TABLE
