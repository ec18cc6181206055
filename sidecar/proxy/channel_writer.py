"""Drives the channel's sender from the loop: writes in portions, reconnects, and stops when the reader is full."""

from __future__ import annotations

from collections.abc import Callable

from ..channel.record import Record
from ..channel.sender import Sender
from .reactor import FAILED, IN, OUT, SECOND, Reactor

BATCH_DELAY = SECOND // 200  # records wait so long for company, since one write costs as much as looking at an exchange
BATCH_BYTES = 64 * 1024
RECONNECT = SECOND // 20


class ChannelWriter:
    """Offers records to the analyzer and never waits for it."""

    def __init__(self, reactor: Reactor, sender: Sender, next_sequence: Callable[[], int]) -> None:
        self._reactor = reactor
        self._sender = sender
        self._next_sequence = next_sequence
        self._scheduled = False
        self._blocked = False

    @property
    def connected(self) -> bool:
        """Return whether there is a reader."""
        return self._sender.connected

    def start(self) -> None:
        """Connect, now or as soon as somebody listens, and again whenever the reader is lost."""
        if not self._sender.connect(self._next_sequence()):
            self._reactor.call_later(RECONNECT, self.start)
            return
        self._blocked = False
        self._reactor.register(self._sender.fileno(), IN, self._ready, self._disconnected)
        self._write()

    def offer(self, record: Record) -> bool:
        """Queue a record; return False, with nothing changed, when there is no reader or no room."""
        if not self._sender.offer(record):
            return False
        if not self._scheduled and not self._blocked:
            self._scheduled = True
            self._reactor.call_later(0 if self._sender.queued_bytes > BATCH_BYTES else BATCH_DELAY, self._write_batch)
        return True

    def drain(self) -> None:
        """Write what can be written now, before the proxy ends."""
        if self._sender.connected:
            self._write()

    def _write_batch(self) -> None:
        self._scheduled = False
        if self._sender.connected and not self._blocked:
            self._write()

    def _ready(self, events: int) -> None:
        if events & (IN | FAILED) and self._sender.reader_closed():
            self._disconnected()
            return
        if events & OUT:
            self._write()

    def _write(self) -> None:
        if not self._sender.flush():
            self._disconnected()
            return
        blocked = self._sender.pending
        if blocked != self._blocked:
            self._blocked = blocked
            self._reactor.modify(self._sender.fileno(), IN | OUT if blocked else IN)

    def _disconnected(self) -> None:
        self._reactor.unregister(self._sender.fileno())
        self._sender.disconnect()
        self._reactor.call_later(RECONNECT, self.start)
