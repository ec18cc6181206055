"""The analyzer's side of the channel: a listening socket, and a sans-IO decoder that splits its bytes into frames.

The receiver never writes to the socket. When a connection ends within a frame, it drops the incomplete frame, because
the proxy sends the whole frame again on its next connection. It accepts connections of its own user and of root only.

A connection replaces the one before it only after its handshake was admitted. So a process that connects by mistake
costs the proxy nothing: it cannot end the proxy's connection, use memory, or change the numbering of the records.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError, quote_value
from .page import PageError, read_page
from .peers import FILE_MODE, secure_folder, untrusted_peer
from .record import FRAME, HELLO_BYTES, MAX_FRAME, Frame, FrameError, HandshakeError, Hello, VersionError, decode

READ_BYTES = 64 * 1024
BACKLOG = 64
MOST_WAITING = 16  # connections without a handshake; the oldest one makes room
MOST_RECORDS = 2**48  # no proxy sends more
PAUSE_SECONDS = 0.5  # without accepting, after no descriptor was free: the connection still waits, and would be polled
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Admit = Callable[[Hello], str]


class FrameDecoder:
    """Decodes frames from bytes, however the bytes are split, and checks their order.

    The first frame must be a handshake that `admit` accepts: it returns why not, or "". The records after it must have
    consecutive numbers. `limit` bounds the size of a payload.
    """

    def __init__(self, limit: int = MAX_FRAME, admit: Admit = lambda _: "") -> None:
        self._limit = limit
        self._admit = admit
        self._held = bytearray()  # the bytes of an incomplete frame
        self._needed = FRAME.size
        self._next = -1  # sequence number of the next record; -1 before the handshake

    @property
    def admitted(self) -> bool:
        """Whether the handshake was accepted."""
        return self._next >= 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes; raise FrameError for invalid bytes. Always exhaust the iterator."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return
            data, self._held = bytes(self._held), bytearray()
        start = 0
        while (body := self._locate_payload(data, start)) is not None:
            kind, first, last = body
            yield self._in_order(decode(kind, data[first:last]))
            start = last
        self._held += data[start:]

    def _locate_payload(self, data: bytes, start: int) -> tuple[int, int, int] | None:
        """Return kind, start and end of the payload of the frame at `start`, or None if it is incomplete."""
        first = start + FRAME.size
        if len(data) < first:
            self._needed = FRAME.size
            return None
        size, kind = FRAME.unpack_from(data, start)
        limit = self._limit if self.admitted else HELLO_BYTES
        if size > limit:
            raise FrameError(f"channel: a frame declares {size} bytes; the limit is {limit}; the connection is closed")
        if len(data) < first + size:
            self._needed = FRAME.size + size
            return None
        return kind, first, first + size

    def _in_order(self, frame: Frame) -> Frame:
        if isinstance(frame, Hello):
            if reason := "it is the second one" if self.admitted else self._admit(frame):
                raise HandshakeError(reason)
            self._next = frame.next_sequence
            return frame
        if frame.sequence != self._next:
            raise FrameError(
                f"channel: a record has the number {frame.sequence} instead of {self._next}; the connection is closed"
            )
        self._next += 1
        return frame


def check_handshake(page: Path, hello: Hello) -> str:
    """Return why `hello` is not of the proxy that writes the counter page at `page`; "" if it is, or without a page."""
    if hello.next_sequence > MOST_RECORDS:
        return f"its next record is {hello.next_sequence}"
    try:
        snapshot = read_page(page)
    except PageError:  # missing, damaged, or of another version
        return ""
    if hello.epoch != snapshot.epoch:
        return f"its epoch is {hello.epoch}, and the proxy of the counter page has {snapshot.epoch}"
    if hello.next_sequence > snapshot.accepted + 1:
        return f"its next record is {hello.next_sequence}, and the proxy has sent {snapshot.accepted}"
    return ""


class _Connection:
    """One connection: its socket and its decoder."""

    def __init__(self, sock: socket.socket, admit: Admit) -> None:
        self.sock = sock
        self.decoder = FrameDecoder(admit=admit)


class Receiver:
    """Listens on a Unix socket for one proxy.

    A connection whose handshake `admit` accepts replaces the one before it, after everything that this one sent has
    been read. `rejected` counts the connections that were closed, by reason, and `problem` has the reasons, and why no
    connection can be accepted at present. The `Hello` of a proxy of another version is yielded before its connection is
    closed, so that the lost records can be counted.
    """

    def __init__(self, path: Path, admit: Admit = lambda _: "") -> None:
        self._path = path
        self._admit = admit
        self._connection: _Connection | None = None
        self._waiting: dict[int, _Connection] = {}  # by descriptor, oldest first
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._listener = _listen(path)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(self._listener, select.POLLIN)
        self.rejected: Counter[str] = Counter()
        self._texts: dict[str, str] = {}  # the first one of each reason, so that a flood does not flood the log
        self._shortage = ""  # why the last connection could not be accepted
        self._paused_until: float | None = None  # monotonic; the listener is not polled until then

    @property
    def connected(self) -> bool:
        """Return whether a proxy is connected."""
        return self._connection is not None

    @property
    def problem(self) -> str:
        """Why none can be accepted, and why some were closed, with their numbers rounded down to a power of two.

        Empty if all is well.
        """
        counts = ((text, 1 << self.rejected[reason].bit_length() - 1) for reason, text in self._texts.items())
        closed = (text if count == 1 else f"{text} ({count} times or more)" for text, count in counts)
        return "; ".join(filter(None, (self._shortage, *closed)))

    def receive(self, timeout: float) -> Iterator[Frame]:
        """Yield the frames of one read of each connection. Return after `timeout` seconds, or when `wake` is called."""
        ready = {descriptor for descriptor, _ in self._poll.poll(self._resume(timeout) * 1000)}
        if self._wake in ready:
            with suppress(BlockingIOError):  # one read consumes several wake-ups
                os.eventfd_read(self._wake)
        current = self._connection
        if current is not None and current.sock.fileno() in ready:
            yield from self._read(current)
            return  # all that it sent is read before a connection that may replace it
        if self._listener.fileno() in ready:
            ready |= self._accept()
        for descriptor in [descriptor for descriptor in self._waiting if descriptor in ready]:
            if (connection := self._waiting.get(descriptor)) is not None:
                yield from self._read(connection)

    def wake(self) -> None:
        """Make a waiting `receive` return. Call it from any thread."""
        os.eventfd_write(self._wake, 1)

    def finish(self) -> Iterator[Frame]:
        """Stop receiving, then yield the frames that were already sent. The next reader gets an incomplete frame."""
        self._path.unlink(missing_ok=True)
        for connection in [self._connection, *self._waiting.values()]:
            if connection is None:
                continue
            with suppress(OSError):  # the proxy has disconnected already
                connection.sock.shutdown(socket.SHUT_RD)
            while connection.sock.fileno() >= 0:
                yield from self._read(connection)

    def close(self) -> None:
        """Close all descriptors and remove the socket file."""
        for connection in [self._connection, *self._waiting.values()]:
            if connection is not None:
                self._close(connection)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        os.close(self._wake)

    def _read(self, connection: _Connection) -> Iterator[Frame]:
        try:
            data = connection.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        try:
            for frame in connection.decoder.feed(data):
                if isinstance(frame, Hello):
                    self._replace(connection)
                yield frame
        except FrameError as error:
            self._reject(error.reason, str(error))
            self._close(connection)
            if isinstance(error, VersionError) and error.hello is not None and not self._admit(error.hello):
                yield error.hello

    def _accept(self) -> set[int]:
        """Accept the connections that wait, at most BACKLOG; return their descriptors."""
        accepted = set()
        for _ in range(BACKLOG):
            try:
                sock, _ = self._listener.accept()
            except OSError as error:  # none waits, or the peer has disconnected, or descriptors have run out
                if error.errno in NO_DESCRIPTOR:
                    self._suspend(error.errno)
                break
            self._shortage = ""
            if problem := untrusted_peer(sock):
                self._reject("user", problem)
                sock.close()
                continue
            if len(self._waiting) >= MOST_WAITING:
                oldest = next(iter(self._waiting.values()))
                self._reject("no_handshake", "channel: a connection sent no handshake and made room for another one")
                self._close(oldest)
            sock.setblocking(False)
            self._waiting[sock.fileno()] = _Connection(sock, self._admit)
            self._poll.register(sock, select.POLLIN)
            accepted.add(sock.fileno())
        return accepted

    def _suspend(self, number: int) -> None:
        self._shortage = (
            f"channel: the proxy's connection cannot be accepted: {os.strerror(number)}; trying again; raise the "
            "limit of open files of this process"
        )
        self._poll.unregister(self._listener)
        self._paused_until = time.monotonic() + PAUSE_SECONDS

    def _resume(self, timeout: float) -> float:
        """Poll the listener again after a pause; return for how long to poll, at most `timeout` seconds."""
        if self._paused_until is None:
            return timeout
        left = self._paused_until - time.monotonic()
        if left > 0:
            return min(timeout, left)
        self._poll.register(self._listener, select.POLLIN)
        self._paused_until = None
        return timeout

    def _replace(self, connection: _Connection) -> None:
        if self._connection is not None:
            self._close(self._connection)
        self._waiting.pop(connection.sock.fileno(), None)
        self._connection = connection

    def _close(self, connection: _Connection) -> None:
        self._poll.unregister(connection.sock)
        self._waiting.pop(connection.sock.fileno(), None)
        if connection is self._connection:
            self._connection = None
        connection.sock.close()

    def _reject(self, reason: str, text: str) -> None:
        self.rejected[reason] += 1
        self._texts.setdefault(reason, text)


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
