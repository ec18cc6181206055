"""The proxy's side of the channel: a bounded queue in front of a non-blocking Unix socket. It never waits.

When the reader disconnects, queued frames stay and are sent to the next reader. A partly sent frame is sent again from
its beginning, because a reader drops an incomplete frame. A reader of another user gets nothing. The sender has no
event loop: its owner, `ChannelWriter`, polls `fileno` and calls `flush` and `connect`.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from ..errors import quote_value
from .peers import untrusted_peer
from .record import Hello, Piece, Record, encode_hello, encode_record

_LOG = logging.getLogger("pilotfish.channel")

QUEUE_BYTES = 4 * 1024 * 1024
WRITE_BYTES = 128 * 1024  # in one call of `flush`: 60 us; the proxy forwards bytes between two calls
WRITE_BUFFERS = 64
NO_READER = (errno.ENOENT, errno.ECONNREFUSED, errno.EAGAIN)  # none listens yet, or its backlog is full


class Sender:
    """Queues records, up to `limit` bytes of frames, and writes as much as the socket accepts."""

    def __init__(self, path: Path, epoch: int, *, limit: int = QUEUE_BYTES) -> None:
        self._path = path
        self._epoch = epoch
        self._limit = limit
        self._frames: deque[tuple[int, int, list[Piece]]] = deque()  # sequence number, size, buffers
        self._hello = b""
        self._sent = 0  # bytes already sent of the handshake, or else of the first frame
        self._socket: socket.socket | None = None
        self._refusal = ""  # why the last reader was refused
        self._failure = 0  # the error number of the last connect, 0 after a success and without a reader
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

    def offer(self, record: Record, request_body: Sequence[Piece] = (), response_body: Sequence[Piece] = ()) -> bool:
        """Queue the record. Without a reader or room in the queue, change nothing and return False.

        The pieces follow the record's own bodies. Large ones are not copied, so do not change them afterwards.
        """
        if self._socket is None:
            return False
        frame = encode_record(record, request_body, response_body)
        size = sum(map(len, frame))
        if self.queued_bytes + size > self._limit:
            return False
        self._frames.append((record.sequence, size, frame))
        self.queued_bytes += size
        return True

    def connect(self, next_sequence: int) -> bool:
        """Try once to connect; return whether a reader is connected. If not, the owner tries again.

        `next_sequence` is the sequence number of the next record that will be offered.
        """
        if self._socket is not None:
            return True
        connection = None
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            connection.connect(str(self._path))
            trusted = not self._refuses(connection)
        except OSError as error:
            self._note_failure(error.errno or 0)
            trusted = False
        if connection is None or not trusted:
            if connection is not None:
                connection.close()
            return False
        self._failure = 0
        self._socket = connection
        first = self._frames[0][0] if self._frames else next_sequence
        self._hello = encode_hello(Hello(self._epoch, first))
        self._sent = 0
        return True

    def flush(self, limit: int = WRITE_BYTES) -> bool:
        """Write until the queue is empty, the socket is full, or `limit` bytes are written.

        Return False if the reader has disconnected.
        """
        while self._socket is not None and self.pending and limit > 0:
            portion = self._portion(limit)
            size = sum(map(len, portion))
            try:
                written = self._socket.sendmsg(portion)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            self._discard_sent(written)
            if written < size:
                return True
            limit -= written
        return True

    def reader_closed(self) -> bool:
        """Return whether the connection is over. Call it on a read event: bytes end it, too, as no reader writes."""
        assert self._socket is not None
        try:
            if self._socket.recv(64):
                self._refuse("the reader sent bytes, so it is not an analyzer")
            return True
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

    def _note_failure(self, number: int) -> None:
        """Log a failed connect, such as without a free descriptor, unless it only means that no reader listens."""
        if number != self._failure and number not in NO_READER:
            _LOG.error("records are not sent to %s: %s; trying again", quote_value(self._path), os.strerror(number))
        self._failure = 0 if number in NO_READER else number

    def _refuses(self, connection: socket.socket) -> bool:
        """Return whether the reader runs as another user."""
        problem = untrusted_peer(connection)
        if problem:
            self._refuse(problem)
        return bool(problem)

    def _refuse(self, problem: str) -> None:
        """Log each new reason once."""
        if problem != self._refusal:
            _LOG.error("records are not sent to %s: %s", quote_value(self._path), problem)
        self._refusal = problem

    def _portion(self, limit: int) -> list[memoryview]:
        """Return the next bytes to write, at most `limit`, as parts of the queued buffers."""
        if self._hello:
            return [memoryview(self._hello)[self._sent :]]
        skipped, portion = self._sent, []
        for buffer in chain.from_iterable(frame for _, _, frame in self._frames):
            if skipped >= len(buffer):
                skipped -= len(buffer)
                continue
            portion.append(memoryview(buffer)[skipped : skipped + limit])
            limit -= len(portion[-1])
            skipped = 0
            if not limit or len(portion) == WRITE_BUFFERS:
                break
        return portion

    def _discard_sent(self, written: int) -> None:
        self._sent += written
        if self._hello:
            if self._sent == len(self._hello):
                self._hello, self._sent = b"", 0
            return
        while self._frames and self._sent >= self._frames[0][1]:
            size = self._frames.popleft()[1]
            self._sent -= size
            self.queued_bytes -= size
