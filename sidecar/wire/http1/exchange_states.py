"""The state machine of one exchange as a table, and its diagram in docs/exchange.md.

The tracker stores no state variable: `state_of` derives the state from the attributes of an exchange. A test runs the
tracker on random bytes and checks every transition against the table, so change both together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from ..exchange import Exchange
from .heads import SWITCHING


class ExchangeState(Enum):
    """The states of an exchange."""

    REQUEST = "the request body is arriving"
    WAITING = "the request is complete, the final response has not started"
    RESPONSE = "the response body is arriving"
    BOTH = "the response started before the request was complete"
    UPLOAD = "the response is complete, the request is not"
    TUNNEL = "the response switched protocols: the connection carries bytes of another protocol"
    COMPLETE = "both messages were parsed to their ends"
    ABORTED = "the connection ended or became opaque before both messages were complete"


class Event(Enum):
    """The events that cause a transition."""

    REQUEST_END = "end of request"
    RESPONSE_HEAD = "head of the final response"
    RESPONSE_END = "end of response"
    SWITCH = "101, or 2xx to CONNECT"
    CLOSE = "connection closed or opaque"


INITIAL = ExchangeState.REQUEST
TRANSITIONS: Mapping[ExchangeState, Mapping[Event, ExchangeState]] = MappingProxyType(
    {
        ExchangeState.REQUEST: {
            Event.REQUEST_END: ExchangeState.WAITING,
            Event.RESPONSE_HEAD: ExchangeState.BOTH,
            Event.SWITCH: ExchangeState.TUNNEL,
            Event.CLOSE: ExchangeState.ABORTED,
        },
        ExchangeState.WAITING: {
            Event.RESPONSE_HEAD: ExchangeState.RESPONSE,
            Event.SWITCH: ExchangeState.TUNNEL,
            Event.CLOSE: ExchangeState.ABORTED,
        },
        ExchangeState.RESPONSE: {Event.RESPONSE_END: ExchangeState.COMPLETE, Event.CLOSE: ExchangeState.ABORTED},
        ExchangeState.BOTH: {
            Event.REQUEST_END: ExchangeState.RESPONSE,
            Event.RESPONSE_END: ExchangeState.UPLOAD,
            Event.CLOSE: ExchangeState.ABORTED,
        },
        ExchangeState.UPLOAD: {Event.REQUEST_END: ExchangeState.COMPLETE, Event.CLOSE: ExchangeState.ABORTED},
        ExchangeState.TUNNEL: {Event.CLOSE: ExchangeState.COMPLETE},
        ExchangeState.COMPLETE: {},
        ExchangeState.ABORTED: {},
    }
)


def state_of(exchange: Exchange, *, finished: bool = False) -> ExchangeState:
    """Return the state of an exchange. Set `finished` after the tracker has reported the end of the exchange."""
    if finished:
        return ExchangeState.COMPLETE if exchange.complete else ExchangeState.ABORTED
    if exchange.status == SWITCHING or (exchange.method == "CONNECT" and 200 <= exchange.status < 300):
        return ExchangeState.TUNNEL
    if exchange.response_complete:
        return ExchangeState.COMPLETE if exchange.request_complete else ExchangeState.UPLOAD
    if exchange.status:
        return ExchangeState.RESPONSE if exchange.request_complete else ExchangeState.BOTH
    return ExchangeState.WAITING if exchange.request_complete else ExchangeState.REQUEST


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL.name}: head of request"]
    for state, moves in TRANSITIONS.items():
        lines += [f"    {state.name} --> {following.name}: {event.value}" for event, following in moves.items()]
        if not moves:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join(lines)
