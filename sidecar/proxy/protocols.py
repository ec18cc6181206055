"""Protocol detection: the first bytes of a connection select its parser from the table `PROTOCOLS`.

The relay forwards bytes before it passes them to this module, so detection delays no byte. To add a protocol, write its
parser under `wire/` (see `wire/__init__.py`) and add a row. The row without a preface must stay the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple

from ..wire.budget import ParseBudget
from ..wire.exchange import E, ExchangeListener, Parser
from ..wire.http1.tracker import Tracker
from ..wire.opaque import OpaqueParser
from .relay import ObserveBytes


class WireProtocol(NamedTuple):
    """A row of the table: `parser` creates the parser if the first bytes of the client are `preface`."""

    preface: bytes
    parser: Callable[[ExchangeListener[Any], type[Any], ParseBudget], Parser]


def _opaque(reason: str, listener: ExchangeListener[Any], _exchange_type: type[Any], _budget: ParseBudget) -> Parser:
    return OpaqueParser(listener, reason)


# The first row with a matching preface is selected; the last row matches everything. HTTP/2: RFC 9113, 3.4. TLS: a
# handshake record (RFC 8446, 5.1).
PROTOCOLS = (
    WireProtocol(b"PRI * HTTP/2.0", partial(_opaque, "http2")),
    WireProtocol(b"\x16", partial(_opaque, "tls")),
    WireProtocol(b"", Tracker),
)
_LONGEST_PREFACE = max(len(row.preface) for row in PROTOCOLS)


class ProtocolDetector(Generic[E]):
    """Selects the parser of a connection and passes bytes to it.

    `parser` is None while the first bytes match several rows. Until then the bytes are buffered, fewer than
    `_LONGEST_PREFACE`, and the parser later receives them with their own times. Once the parser is known, `client` and
    `server` return its method for the next bytes of their side. A caller may use that method directly, which saves one
    call per read.
    """

    __slots__ = ("_budget", "_buffered", "_exchange_type", "_listener", "parser")

    def __init__(self, listener: ExchangeListener[E], exchange_type: type[E], budget: ParseBudget) -> None:
        self._listener = listener
        self._budget = budget
        self._exchange_type = exchange_type
        self._buffered: tuple[tuple[bytes, int], ...] = ()
        self.parser: Parser | None = None

    @property
    def idle(self) -> bool:
        """Return whether the connection is between two exchanges."""
        return not self._buffered if self.parser is None else self.parser.idle

    def client(self, view: memoryview, now: int) -> ObserveBytes | None:
        """Pass on bytes that the client sent."""
        parser = self.parser or self._choose(view, now)
        if parser is None:
            return None
        parser.client(view, now)
        return parser.client

    def server(self, view: memoryview, now: int) -> ObserveBytes | None:
        """Pass on bytes that the server sent. In all protocols of the table, the client sends first."""
        parser = self.parser or self._start(PROTOCOLS[-1])
        parser.server(view, now)
        return parser.server

    def server_ended(self, now: int) -> None:
        """Handle the end of the server's direction."""
        if self.parser is not None:
            self.parser.server_ended(now)

    def closed(self, now: int) -> None:
        """Handle the end of the connection."""
        if self.parser is not None:
            self.parser.closed(now)

    def abandon(self) -> None:
        """Drop all state, because the parser or its listener has failed."""
        if self.parser is None:
            self.parser = OpaqueParser(self._listener, "internal")
        self.parser.abandon()

    def _choose(self, view: memoryview, now: int) -> Parser | None:
        """Return the parser for the bytes received so far. If several rows match, buffer `view` and return None."""
        start = bytes(view[:_LONGEST_PREFACE])
        if self._buffered:
            start = b"".join(portion for portion, _ in self._buffered) + start
        for row in PROTOCOLS:
            if start.startswith(row.preface):
                return self._start(row)
            if row.preface.startswith(start):
                self._buffered = *self._buffered, (bytes(view), now)
                return None
        raise AssertionError("the last row fits everything")

    def _start(self, row: WireProtocol) -> Parser:
        parser = self.parser = row.parser(self._listener, self._exchange_type, self._budget)
        for portion, received in self._buffered:
            parser.client(memoryview(portion), received)
        self._buffered = ()
        return parser
