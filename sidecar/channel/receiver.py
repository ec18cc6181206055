"""The analyzer's side of the channel: a listening socket, and a sans-IO decoder that splits its bytes into frames.

The receiver never writes to the socket. When a connection ends within a frame, it drops the incomplete frame, because
the proxy sends the whole frame again on its next connection. It accepts connections of its own user and of root only.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError, quote_value
from .peers import FILE_MODE, secure_folder, untrusted_peer
from .record import FRAME, MAX_FRAME, Frame, FrameError, VersionError, decode

READ_BYTES = 64 * 1024
BACKLOG = 4


class FrameDecoder:
    """Decodes frames from bytes, however the bytes are split. `limit` bounds the size of a payload."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = FRAME.size

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes; raise FrameError for invalid bytes. Always exhaust the iterator."""
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._needed:
            return
        joined = b"".join(self._parts) if len(self._parts) > 1 else data
        start = 0
        while (body := self._locate_payload(joined, start)) is not None:
            kind, first, last = body
            yield decode(kind, joined[first:last])
            start = last
        rest = joined[start:]
        self._parts, self._size = [rest], len(rest)

    def _locate_payload(self, joined: bytes, start: int) -> tuple[int, int, int] | None:
        """Return kind, start and end of the payload of the frame at `start`, or None if it is incomplete."""
        first = start + FRAME.size
        if len(joined) < first:
            self._needed = FRAME.size
            return None
        size, kind = FRAME.unpack_from(joined, start)
        if size > self._limit:
            raise FrameError(
                f"channel: a frame declares {size} bytes; the limit is {self._limit}; the connection is closed"
            )
        if len(joined) < first + size:
            self._needed = FRAME.size + size
            return None
        return kind, first, first + size


class Receiver:
    """Listens on a Unix socket for one proxy.

    A second connection replaces the first one, after everything that the first one sent has been read. `broken_total`
    counts the connections that were closed because of invalid frames, `refused_total` those of other users; `problem`
    is the reason of the last one. A refused connection replaces nothing. The `Hello` of a proxy of another version is
    yielded before its connection is closed, so that the lost records can be counted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: socket.socket | None = None
        self._decoder = FrameDecoder()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._listener = _listen(path)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(self._listener, select.POLLIN)
        self.broken_total = 0
        self.refused_total = 0
        self.problem = ""

    @property
    def connected(self) -> bool:
        """Return whether a proxy is connected."""
        return self._connection is not None

    def receive(self, timeout: float) -> Iterator[Frame]:
        """Yield the frames of one read. Return without frames after `timeout` seconds, or when `wake` is called."""
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout * 1000)}
        if self._wake in ready:
            with suppress(BlockingIOError):  # one read consumes several wake-ups
                os.eventfd_read(self._wake)
        if self._connection is not None and self._connection.fileno() in ready:
            yield from self._read(self._connection)
        elif self._listener.fileno() in ready:
            self._accept()

    def wake(self) -> None:
        """Make a waiting `receive` return. Call it from any thread."""
        os.eventfd_write(self._wake, 1)

    def finish(self) -> Iterator[Frame]:
        """Stop receiving, then yield the frames that were already sent. The next reader gets an incomplete frame."""
        self._path.unlink(missing_ok=True)
        connection = self._connection
        if connection is not None:
            with suppress(OSError):  # the proxy has disconnected already
                connection.shutdown(socket.SHUT_RD)
        while self._connection is not None:
            yield from self._read(self._connection)

    def close(self) -> None:
        """Close all descriptors and remove the socket file."""
        self._disconnect()
        self._listener.close()
        self._path.unlink(missing_ok=True)
        os.close(self._wake)

    def _read(self, connection: socket.socket) -> Iterator[Frame]:
        try:
            data = connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._disconnect()
            return
        try:
            yield from self._decoder.feed(data)
        except FrameError as error:
            self.broken_total += 1
            self.problem = str(error)
            self._disconnect()
            if isinstance(error, VersionError) and error.hello is not None:
                yield error.hello

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # the proxy disconnected before it was accepted
            return
        if problem := untrusted_peer(connection):
            connection.close()
            self.refused_total += 1
            self.problem = problem
            return
        self._disconnect()
        connection.setblocking(False)
        self._connection = connection
        self._poll.register(connection, select.POLLIN)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._poll.unregister(self._connection)
            self._connection.close()
        self._connection = None
        self._decoder = FrameDecoder()


def _listen(path: Path) -> socket.socket:
    """Return a listening socket at `path`, with mode 0600. It replaces the socket file of a dead process."""
    try:
        secure_folder(path.parent)
        return _bind(path)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {quote_value(path)}: {error.strerror or error}; use a --shared folder with a short path"
        ) from error


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(FILE_MODE)  # before it listens, so that no other user can connect earlier
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
