"""Runs a script without sockets: the events that the tracker receives, and the exchanges that it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from pilotfish.sidecar.proxy.protocols import ProtocolDetector
from pilotfish.sidecar.wire.budget import ParseBudget
from pilotfish.sidecar.wire.exchange import Exchange
from tests.integration.case import Case
from tests.integration.wire import Wire


class Event(NamedTuple):
    """One step: bytes from one side, or the end of its direction if `data` is None."""

    side: str
    data: bytes | None = None


class Transcript:
    """Replaces a Wire and records the events of a script."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.sent_up, self.sent_down = bytearray(), bytearray()
        self.was_reset = False

    def up(self, data: bytes) -> None:
        self.sent_up += data
        self.events.append(Event("client", data))

    def down(self, data: bytes) -> None:
        self.sent_down += data
        self.events.append(Event("server", data))

    def up_fin(self) -> None:
        self.events.append(Event("client"))

    def down_fin(self) -> None:
        self.events.append(Event("server"))

    def up_rst(self) -> None:
        self.was_reset = True

    down_rst = up_rst

    def end(self) -> None:
        self.up_fin()
        self.down_fin()


def transcript(case: Case) -> Transcript:
    """Return the events of a case whose script uses only methods of Wire."""
    script = Transcript()
    case.play(cast(Wire, script))
    return script


@dataclass
class Bodies:
    """Captures both bodies of one exchange."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)

    def request(self, data: bytes) -> None:
        self.up += data

    def response(self, data: bytes) -> None:
        self.down += data


class RecordingListener:
    """Records each finished exchange: method, status, whether it is complete, sizes, heads, both bodies."""

    def __init__(self, capture: bool) -> None:
        self.capture = capture
        self.finished_exchanges: list[tuple[Any, ...]] = []
        self.opaque: list[str] = []
        self.requested_count = 0

    def requested(self, exchange: Exchange) -> Bodies | None:
        self.requested_count += 1
        return Bodies() if self.capture else None

    def answered(self, exchange: Exchange) -> None:
        assert exchange.status

    def streamed(self, exchange: Exchange, now: int, first: bool, events: int) -> None:
        pass  # these tests ignore event timing

    def finished(self, exchange: Exchange) -> None:
        bodies = cast("Bodies | None", exchange.bodies)
        captured = (bytes(bodies.up), bytes(bodies.down)) if bodies else (b"", b"")
        sizes = (exchange.request_bytes, exchange.response_bytes) if exchange.complete else (0, 0)
        heads = (exchange.target, exchange.request_headers, exchange.response_headers)
        self.finished_exchanges.append((exchange.method, exchange.status, exchange.complete, sizes, heads, captured))

    def went_opaque(self, reason: str) -> None:
        self.opaque.append(reason)

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        assert self.opaque


def track(events: list[Event], *, capture: bool = True) -> RecordingListener:
    """Pass the events to a protocol detector and its parser, in the order of the relay."""
    listener = RecordingListener(capture)
    tracker = ProtocolDetector(listener, Exchange, ParseBudget())
    for now, (side, data) in enumerate(events, 1):
        if data is None:
            if side == "server":  # the end of the client's direction ends no message
                tracker.server_ended(now)
        else:
            (tracker.client if side == "client" else tracker.server)(memoryview(data), now)
    tracker.closed(len(events) + 1)
    return listener
