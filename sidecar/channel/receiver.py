"""The analyzer's side of the channel: bytes become frames (sans-IO), and one listening socket that they come from.

A reader never writes. What was read of a frame that never ended is dropped with its connection: the proxy sends it
whole again to the next one.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError, quote_value
from .record import FRAME, MAX_FRAME, Frame, FrameError, VersionError, decode

READ_BYTES = 64 * 1024
BACKLOG = 4


class FrameDecoder:
    """Bytes in, frames out, however the bytes are cut."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = FRAME.size

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes; raise FrameError at bytes that are none (exhaust it, always)."""
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
        """Return kind, start and end of the payload of the frame at `start`, or None while more bytes are needed."""
        first = start + FRAME.size
        if len(joined) < first:
            self._needed = FRAME.size
            return None
        size, kind = FRAME.unpack_from(joined, start)
        if size > self._limit:
            raise FrameError(f"channel: a frame says it has {size} bytes, {self._limit} is the limit")
        if len(joined) < first + size:
            self._needed = FRAME.size + size
            return None
        return kind, first, first + size


class Receiver:
    """Listens at a Unix socket for the one proxy; `receive` waits at most as long as it is told.

    A second connection replaces the first one, after all that the first one sent has been read. `broken_total` counts
    connections that were closed because they did not speak the protocol; `problem` says why the last one was. The
    `Hello` of a proxy of another version is yielded before its connection is closed: it says which records were lost.
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
        self.problem = ""

    @property
    def connected(self) -> bool:
        """Tell whether a proxy is connected."""
        return self._connection is not None

    def receive(self, timeout: float) -> Iterator[Frame]:
        """Yield the frames of one portion of bytes; none after `timeout` seconds, or as soon as `wake` was called."""
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout * 1000)}
        if self._wake in ready:
            with suppress(BlockingIOError):  # another wake-up was read with this one
                os.eventfd_read(self._wake)
        if self._connection is not None and self._connection.fileno() in ready:
            yield from self._read(self._connection)
        elif self._listener.fileno() in ready:
            self._accept()

    def wake(self) -> None:
        """End a `receive` that waits in another thread."""
        os.eventfd_write(self._wake, 1)

    def finish(self) -> Iterator[Frame]:
        """Yield what was sent until now and let nothing more come; what is cut off goes whole to the next reader."""
        self._path.unlink(missing_ok=True)
        connection = self._connection
        if connection is not None:
            with suppress(OSError):  # the proxy has left already
                connection.shutdown(socket.SHUT_RD)
        while self._connection is not None:
            yield from self._read(self._connection)

    def close(self) -> None:
        """Close everything and remove the socket from the folder."""
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
        except OSError:  # it went away while it waited
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
    """Return a listening socket at `path`, in place of one that a dead process left there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen at {quote_value(path)}: {error}; give a --shared folder with a short path"
        ) from error
    return listener
