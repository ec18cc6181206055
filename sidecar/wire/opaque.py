"""The parser for protocols that Pilotfish recognises but does not parse: it only counts bytes."""

from __future__ import annotations

from typing import Any

from .exchange import ExchangeListener


class OpaqueParser:
    """Reports the connection as opaque for `reason` when it is created, then counts bytes."""

    protocol = ""
    idle = False

    __slots__ = ("_listener", "opaque")

    def __init__(self, listener: ExchangeListener[Any], reason: str) -> None:
        self._listener = listener
        self.opaque: str | None = reason
        listener.went_opaque(reason)

    def client(self, view: memoryview, _now: int, /) -> None:
        """Count bytes that the client sent."""
        self._listener.opaque_bytes(len(view), 0)

    def server(self, view: memoryview, _now: int, /) -> None:
        """Count bytes that the server sent."""
        self._listener.opaque_bytes(0, len(view))

    def server_ended(self, _now: int, /) -> None:
        """Do nothing: no message is open."""

    def closed(self, _now: int, /) -> None:
        """Do nothing: no exchange is open."""

    def abandon(self) -> None:
        """Do nothing: there is no state."""
