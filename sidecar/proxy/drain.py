"""The drain: what happens to open connections between SIGTERM and the end of the process.

The proxy continues to accept and relay. A connection between two exchanges that stays quiet for a moment is closed with
FIN, as a server closes an idle connection. A connection with an exchange in flight finishes it first. A connection that
is not parsed may be in use although it is quiet, so it is kept until the deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from .connections import ConnectionManager
from .reactor import SECOND, Reactor
from .relay import ObserveBytes, Relay

_LOG = logging.getLogger("pilotfish.proxy")

QUIET = SECOND  # ns without a byte after which an idle connection is closed
_SWEEP = QUIET // 4
_LAST_PART = 4  # in the last quarter of the drain, a connection is closed as soon as its exchange has ended
_REFUSING_PART = 16  # in the last part, new clients are refused: at the deadline, their exchanges would be reset


class Drain:
    """Closes connections as they become idle, and all that are left at the deadline; then calls `on_deadline`.

    Shortly before the deadline it calls `refuse`, after which no client may be accepted.

    It wraps the relays' observers to record the times of bytes, so that relaying costs nothing more before a drain.
    """

    def __init__(
        self,
        reactor: Reactor,
        connections: ConnectionManager,
        refuse: Callable[[], None],
        on_deadline: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._connections = connections
        self._refuse = refuse
        self._on_deadline = on_deadline
        self._deadline: int | None = None  # None until the drain has begun
        self._last_part_at = 0
        self._active_at: dict[Relay, int] = {}

    @property
    def has_begun(self) -> bool:
        """Whether connections are being drained."""
        return self._deadline is not None

    def start(self, limit: int) -> None:
        """Start to drain, for `limit` ns at most. A drain that has begun can be shortened, but not extended."""
        now = self._reactor.now()
        if self._deadline is not None and self._deadline <= now + limit:
            return
        is_first = self._deadline is None
        self._deadline = now + limit
        self._last_part_at = self._deadline - limit // _LAST_PART
        self._reactor.call_at(self._deadline, self._end)
        self._reactor.call_at(self._last_part_at, self._sweep_last)
        self._reactor.call_at(self._deadline - limit // _REFUSING_PART, self._refuse)
        if is_first:
            self._sweep()

    def _sweep(self) -> None:
        now = self._reactor.now()
        relays = self._connections.relays()
        self._active_at = {relay: self._active_at.get(relay) or self._watch(relay, now) for relay in relays}
        for relay in relays:
            if now - self._active_at[relay] >= QUIET and relay.is_idle:
                relay.close()
        self._reactor.call_later(_SWEEP, self._sweep)

    def _sweep_last(self) -> None:
        for relay in self._connections.relays():
            self._close_if_idle(relay)

    def _watch(self, relay: Relay, now: int) -> int:
        for endpoint in (relay.client, relay.server):
            endpoint.observe = self._marking(relay, endpoint.observe)
        return now

    def _marking(self, relay: Relay, observe: ObserveBytes) -> ObserveBytes:
        """Return an observer that records the time of the bytes and passes them on."""

        def mark(view: memoryview, now: int) -> None:
            nonlocal observe
            self._active_at[relay] = now
            observe = observe(view, now) or observe
            if now >= self._last_part_at:
                self._reactor.call_later(0, partial(self._close_if_idle, relay))

        return mark

    def _close_if_idle(self, relay: Relay) -> None:
        if relay.is_idle:
            relay.close()

    def _end(self) -> None:
        """Close the connections that are left: the quiet ones with FIN, all others with RST."""
        _LOG.warning("the drain is over; closing the connections that are still open: %d", self._connections.count)
        quiet_since = self._reactor.now() - QUIET
        for relay in self._connections.relays():
            if self._active_at.get(relay, quiet_since + 1) <= quiet_since and relay.is_still:
                relay.close()
        self._connections.abort_all()
        self._on_deadline()
