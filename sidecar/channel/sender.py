"""The proxy's side of the channel: a bounded queue in front of a non-blocking Unix socket. It never waits.

When the reader disconnects, queued frames stay and are sent to the next reader. A partly sent frame is sent again from
its beginning, because a reader drops an incomplete frame. A reader of another user gets nothing. The sender has no
event loop: its owner, `ChannelWriter`, polls `fileno` and calls `flush` and `connect`.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ..errors import quote_value
from .peers import untrusted_peer
from .record import Hello, Record, encode_hello, encode_record

_LOG = logging.getLogger("pilotfish.channel")

QUEUE_BYTES = 4 * 1024 * 1024
WRITE_BYTES = 256 * 1024


class Sender:
    """Queues records, up to `limit` bytes of frames, and writes as much as the socket accepts."""

    def __init__(self, path: Path, epoch: int, *, limit: int = QUEUE_BYTES) -> None:
        self._path = path
        self._epoch = epoch
        self._limit = limit
        self._frames: deque[tuple[int, bytes]] = deque()
        self._hello = b""
        self._sent = 0  # bytes already sent of the handshake, or else of the first frame
        self._socket: socket.socket | None = None
        self._refusal = ""  # why the last reader was refused
        self.queued_bytes = 0

    @property
    def connected(self) -> bool:
        """Return whether a reader is connected."""
        return self._socket is not None

    @property
    def pending(self) -> bool:
        """Return whether bytes wait to be written to a connected reader."""
        return self._socket is not None and bool(self._frames or self._hello)

    def fileno(self) -> int:
        """Return the descriptor to poll while `connected`."""
        assert self._socket is not None
        return self._socket.fileno()

    def offer(self, record: Record) -> bool:
        """Queue the record. Without a reader or room in the queue, change nothing and return False."""
        if self._socket is None:
            return False
        frame = encode_record(record)
        if self.queued_bytes + len(frame) > self._limit:
            return False
        self._frames.append((record.sequence, frame))
        self.queued_bytes += len(frame)
        return True

    def connect(self, next_sequence: int) -> bool:
        """Try once to connect; return whether a reader is connected.

        `next_sequence` is the sequence number of the next record that will be offered.
        """
        if self._socket is not None:
            return True
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            connection.connect(str(self._path))
        except OSError:  # no reader listens yet, or its backlog is full: the owner tries again
            connection.close()
            return False
        if self._refuses(connection):
            connection.close()
            return False
        self._socket = connection
        first = self._frames[0][0] if self._frames else next_sequence
        self._hello = encode_hello(Hello(self._epoch, first))
        self._sent = 0
        return True

    def flush(self) -> bool:
        """Write until the queue is empty or the socket is full. Return False if the reader has disconnected."""
        while self._socket is not None and self.pending:
            portion = self._portion()
            try:
                written = self._socket.send(portion)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            self._discard_sent(written)
            if written < len(portion):
                return True
        return True

    def reader_closed(self) -> bool:
        """Return whether the reader closed the connection. Readers never write, so call it on a read event."""
        assert self._socket is not None
        try:
            return not self._socket.recv(64)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    def disconnect(self) -> None:
        """Close the connection and keep the queue for the next reader."""
        if self._socket is not None:
            with suppress(OSError):  # the connection is useless in any case
                self._socket.close()
        self._socket = None
        self._hello = b""
        self._sent = 0

    def _refuses(self, connection: socket.socket) -> bool:
        """Return whether the reader runs as another user, and log each new reason once."""
        problem = untrusted_peer(connection)
        if problem and problem != self._refusal:
            _LOG.error("records are not sent to %s: %s", quote_value(self._path), problem)
        self._refusal = problem
        return bool(problem)

    def _portion(self) -> bytes | memoryview:
        if self._hello:
            return memoryview(self._hello)[self._sent :]
        parts, size = [memoryview(self._frames[0][1])[self._sent :]], len(self._frames[0][1]) - self._sent
        for _, frame in islice(self._frames, 1, 256):
            size += len(frame)
            if size > WRITE_BYTES:
                break
            parts.append(memoryview(frame))
        return b"".join(parts) if len(parts) > 1 else parts[0]

    def _discard_sent(self, written: int) -> None:
        if self._hello:
            self._sent += written
            if self._sent == len(self._hello):
                self._hello, self._sent = b"", 0
            return
        written += self._sent
        while self._frames and written >= len(self._frames[0][1]):
            frame = self._frames.popleft()[1]
            written -= len(frame)
            self.queued_bytes -= len(frame)
        self._sent = written
