"""The states of one exchange as a table, and their diagram in docs/exchange.md.

The tracker keeps no state of its own: an exchange's attributes are its state, and `state_of` reads it from them. A test
runs the tracker on random bytes and checks every change against the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from ..exchange import Exchange
from .heads import SWITCHING


class State(Enum):
    """Where an exchange stands."""

    REQUEST = "the request's body is on its way"
    WAITING = "the request is complete, the final response has not begun"
    RESPONSE = "the response's body is on its way"
    BOTH = "the response began before the request was complete"
    UPLOAD = "the response is complete, the request is not"
    TUNNEL = "the response switched protocols: bytes of another protocol pass"
    COMPLETE = "both messages were seen to their ends"
    ABORTED = "the connection ended, or went opaque, before both messages did"


class Event(Enum):
    """What moves an exchange from one state to the next."""

    REQUEST_END = "end of request"
    RESPONSE_HEAD = "head of the final response"
    RESPONSE_END = "end of response"
    SWITCH = "101, or 2xx to CONNECT"
    CLOSE = "connection closed or opaque"


INITIAL = State.REQUEST
TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.REQUEST: {
            Event.REQUEST_END: State.WAITING,
            Event.RESPONSE_HEAD: State.BOTH,
            Event.SWITCH: State.TUNNEL,
            Event.CLOSE: State.ABORTED,
        },
        State.WAITING: {
            Event.RESPONSE_HEAD: State.RESPONSE,
            Event.SWITCH: State.TUNNEL,
            Event.CLOSE: State.ABORTED,
        },
        State.RESPONSE: {Event.RESPONSE_END: State.COMPLETE, Event.CLOSE: State.ABORTED},
        State.BOTH: {
            Event.REQUEST_END: State.RESPONSE,
            Event.RESPONSE_END: State.UPLOAD,
            Event.CLOSE: State.ABORTED,
        },
        State.UPLOAD: {Event.REQUEST_END: State.COMPLETE, Event.CLOSE: State.ABORTED},
        State.TUNNEL: {Event.CLOSE: State.COMPLETE},
        State.COMPLETE: {},
        State.ABORTED: {},
    }
)


def state_of(exchange: Exchange, *, finished: bool = False) -> State:
    """Return the state that the attributes of an exchange say; `finished` is whether the tracker reported its end."""
    if finished:
        return State.COMPLETE if exchange.complete else State.ABORTED
    if exchange.status == SWITCHING or (exchange.method == "CONNECT" and 200 <= exchange.status < 300):
        return State.TUNNEL
    if exchange.response_complete:
        return State.COMPLETE if exchange.request_complete else State.UPLOAD
    if exchange.status:
        return State.RESPONSE if exchange.request_complete else State.BOTH
    return State.WAITING if exchange.request_complete else State.REQUEST


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL.name}: head of request"]
    for state, moves in TRANSITIONS.items():
        lines += [f"    {state.name} --> {following.name}: {event.value}" for event, following in moves.items()]
        if not moves:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join(lines)
