"""All open connections of a proxy, from being accepted to their end."""

from __future__ import annotations

from collections.abc import Callable

from ..channel.page import CounterPage
from .connecting import UpstreamConnect
from .relay import Relay


class ConnectionManager:
    """All connections of all listeners. Calls `on_idle` when the last one has ended; listeners enforce `limit`."""

    def __init__(self, page: CounterPage, limit: int, on_idle: Callable[[], None]) -> None:
        self.page = page
        self.limit = limit
        self._on_idle = on_idle
        self._open: set[Relay | UpstreamConnect] = set()

    @property
    def count(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def add(self, connection: Relay | UpstreamConnect) -> None:
        """Add an open connection."""
        self._open.add(connection)

    def remove(self, connection: Relay | UpstreamConnect) -> None:
        """Remove a connection that has ended."""
        self._open.discard(connection)
        if not self._open:
            self._on_idle()

    def relays(self) -> list[Relay]:
        """Return the connections that have reached the upstream."""
        return [connection for connection in self._open if isinstance(connection, Relay)]

    def abort_all(self) -> None:
        """Close every connection with RST."""
        for connection in list(self._open):
            if isinstance(connection, Relay):
                connection.abort()
            else:
                connection.cancel()
