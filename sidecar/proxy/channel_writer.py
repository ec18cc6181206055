"""Runs the channel's sender in the event loop: batches writes, reconnects, and pauses while the socket is full.

The observer offers records; the writer queues them in `channel.sender.Sender`. It must never block the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..channel.record import Piece, Record
from ..channel.sender import Sender
from .reactor import FAILED, IN, OUT, SECOND, Reactor

BATCH_DELAY = SECOND // 200  # ns that a record waits for others: one write costs as much CPU as parsing one exchange
BATCH_BYTES = 64 * 1024
RECONNECT = SECOND // 20
RETRY_AFTER_DEFECT = SECOND  # each try logs a line
HANDSHAKE_BYTES = 64


class ChannelWriter:
    """Sends records to the analyzer and never waits for it. Calls `on_change` with whether a reader is connected."""

    def __init__(
        self,
        reactor: Reactor,
        sender: Sender,
        next_sequence: Callable[[], int],
        on_change: Callable[[bool], None],
    ) -> None:
        self._reactor = reactor
        self._sender = sender
        self._next_sequence = next_sequence
        self._on_change = on_change
        self._scheduled = False
        self._blocked = False

    @property
    def connected(self) -> bool:
        """Return whether a reader is connected."""
        return self._sender.connected

    def start(self) -> None:
        """Connect now, or retry until a reader listens. Reconnect whenever the reader disconnects."""
        if not self._sender.connect(self._next_sequence()):
            self._reactor.call_later(RECONNECT, self.start)
            return
        self._blocked = False
        try:
            self._on_change(True)
            self._reactor.register(self._sender.fileno(), IN, self._ready, self._disconnected)
        except Exception:  # logged by the loop; without another try, no record would be sent any more
            self._sender.disconnect()
            self._reactor.call_later(RETRY_AFTER_DEFECT, self.start)
            raise
        self._write()

    @property
    def queued_bytes(self) -> int:
        """The size of the records that wait to be written."""
        return self._sender.queued_bytes

    def offer(self, record: Record, request_body: Sequence[Piece], response_body: Sequence[Piece]) -> bool:
        """Queue a record and the pieces of its bodies. Without a reader or room, change nothing and return False."""
        if not self._sender.offer(record, request_body, response_body):
            return False
        if not self._scheduled and not self._blocked:
            self._scheduled = True
            self._reactor.call_later(0 if self._sender.queued_bytes > BATCH_BYTES else BATCH_DELAY, self._write_batch)
        return True

    def drain(self) -> None:
        """Write as much as possible now, before the process ends."""
        if self._sender.connected:
            self._sender.flush(self._sender.queued_bytes + HANDSHAKE_BYTES)

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
        blocked = self._sender.pending  # the socket is full, or this round has written enough
        if blocked != self._blocked:
            self._blocked = blocked
            self._reactor.modify(self._sender.fileno(), IN | OUT if blocked else IN)

    def _disconnected(self) -> None:
        self._reactor.unregister(self._sender.fileno())
        self._sender.disconnect()
        self._on_change(False)
        self._reactor.call_later(RECONNECT, self.start)
