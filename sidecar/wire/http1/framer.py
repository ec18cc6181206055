"""One direction of an HTTP/1.1 connection: finds heads, bodies and message ends, however the bytes are split.

The tracker has one framer for requests and one for responses. A framer decides where a message ends, as RFC 9112, 6.3
specifies. If that is not certain, it must raise ProtocolError instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from ..errors import ProtocolError
from .heads import CHUNKED

HEAD_LIMIT = 64 * 1024
LINE_LIMIT = 4 * 1024
TRAILER_LIMIT = 4 * 1024  # bytes of a trailer section that are kept, in whole lines

_EMPTY_LINES = (b"\r\n", b"\n")  # allowed before a start line (RFC 9112, 2.2)
_HEAD_END = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?\r?\n\Z")


class State(IntEnum):
    """The part of a message that the next byte belongs to."""

    HEAD = 0
    SIZED = 1
    CHUNK_SIZE = 2
    CHUNK = 3
    CHUNK_END = 4
    TRAILER = 5
    UNTIL_CLOSE = 6
    STOPPED = 7


# module globals are faster than attributes of an enum in the loop below
_HEAD, _SIZED, _SIZE, _CHUNK, _CHUNK_END, _TRAILER, _UNTIL_CLOSE, _STOPPED = map(int, State)
_INSIDE = (_SIZED, _CHUNK)


class Framer:
    """Calls `on_head(raw) -> length`, `on_body(data)` and `on_end()` while it parses one direction.

    `on_head` returns the length of the body that follows: bytes, CHUNKED or UNTIL_CLOSE.

    on_body     receives the body; if it is None, the body is only counted in `body_bytes`
    started     arrival time of the first byte of the message, in monotonic ns
    unread      number of bytes of the last read that followed a `stop`
    paused      while true, no further head is parsed
    trailers    if `on_body` is set: the trailer section at the end of a message, a header block of at most
                TRAILER_LIMIT bytes; `on_end` reads it and resets it to b""
    """

    __slots__ = (
        "_on_end",
        "_on_head",
        "_remaining",
        "_scanned",
        "_unparsed",
        "body_bytes",
        "on_body",
        "paused",
        "started",
        "state",
        "trailers",
        "unread",
    )

    def __init__(self, on_head: Callable[[bytes], int], on_end: Callable[[], None]) -> None:
        self._on_head = on_head
        self._on_end = on_end
        self.on_body: Callable[[bytes], None] | None = None
        self.state: int = _HEAD
        self.paused = False
        self.unread = 0
        self.started = 0
        self.body_bytes = 0
        self.trailers = b""
        self._unparsed = b""
        self._scanned = 0
        self._remaining = 0

    def whole_head(self, data: bytes) -> int:
        """Return the end of the head if `data` begins a message and contains its whole head, else 0."""
        if self.state or self._unparsed or self.paused:
            return 0
        end = data.find(b"\r\n\r\n")
        return end + 4 if end > 0 else 0

    @property
    def buffered(self) -> bytes:
        """Return the received bytes that are not parsed yet, such as the beginning of a head."""
        return self._unparsed

    def skip(self, size: int) -> bool:
        """Count `size` bytes without parsing them. Return False unless all lie inside a body that is not captured."""
        if self.on_body is not None or self._unparsed:
            return False
        if self.state == _UNTIL_CLOSE:
            self.body_bytes += size
            return True
        if size < self._remaining and self.state in _INSIDE:
            self._remaining -= size
            self.body_bytes += size
            return True
        return False

    def stop(self) -> None:
        """Stop parsing for good and drop the buffered bytes."""
        self.state = _STOPPED
        self._unparsed = b""
        self.on_body = None

    def release(self, now: int) -> None:
        """End the pause and parse the bytes that arrived during it."""
        self.paused = False
        if self._unparsed:
            self.feed(b"", now)

    def feed(self, data: bytes, now: int) -> None:
        """Parse the next bytes; raise ProtocolError if they cannot be parsed with certainty."""
        if self._unparsed:
            data = self._unparsed + data
            self._unparsed = b""
        elif self.state == _HEAD:
            self.started = now
        position, size = 0, len(data)
        while position < size:
            state = self.state
            if state == _HEAD:
                used = self._head(data, position)
            elif state == _SIZED:
                used = self._sized(data, position, size)
            elif state == _UNTIL_CLOSE:
                used = self._body(data, position, size)
            elif state == _STOPPED:
                self.unread = size - position
                return
            else:
                used = self._chunked(data, position, size)
            if used < 0:
                self._unparsed = data[position:] if position else data
                return
            if used > position and self.state == _HEAD:
                self.started = now
            position = used

    def end_of_file(self) -> None:
        """Handle the end of the stream, which ends a message whose body lasts until close."""
        if self.state == _UNTIL_CLOSE:
            self.state = _HEAD
            self._on_end()

    def _head(self, data: bytes, position: int) -> int:
        if self.paused:
            if len(data) - position > HEAD_LIMIT:
                raise ProtocolError("too_large")
            return -1
        while data.startswith(_EMPTY_LINES, position):
            position += 2 if data[position] == 13 else 1
            self._scanned = 0
        match = _HEAD_END.search(data, max(position, position + self._scanned - 3))
        if match is None:
            if len(data) - position > HEAD_LIMIT:
                raise ProtocolError("too_large")
            if position == len(data):
                return position
            self._scanned = len(data) - position
            # `feed` keeps the bytes from its own position on, including the empty lines. They are skipped again.
            return -1
        self._scanned = 0
        end = match.end()
        if end - position > HEAD_LIMIT:
            raise ProtocolError("too_large")
        self.body_bytes = 0
        length = self._on_head(data[position:end])
        if self.state == _STOPPED:
            return end
        if length > 0:
            self._remaining = length
            self.state = _SIZED
        elif length == 0:
            self._on_end()
        else:
            self.state = _SIZE if length == CHUNKED else _UNTIL_CLOSE
        return end

    def _body(self, data: bytes, start: int, end: int) -> int:
        self.body_bytes += end - start
        if self.on_body is not None:
            self.on_body(data[start:end])
        return end

    def _sized(self, data: bytes, position: int, size: int) -> int:
        end = position + self._remaining
        if end > size:
            self._remaining -= size - position
            return self._body(data, position, size)
        self._remaining = 0
        self._body(data, position, end)
        self.state = _HEAD
        self._on_end()
        return end

    def _chunked(self, data: bytes, position: int, size: int) -> int:
        if self.state == _CHUNK:
            return self._chunk(data, position, size)
        if self.state == _SIZE:
            return self._chunk_size(data, position, size)
        return (
            self._chunk_end(data, position, size) if self.state == _CHUNK_END else self._trailer(data, position, size)
        )

    def _chunk_size(self, data: bytes, position: int, size: int) -> int:
        end = data.find(b"\n", position, position + LINE_LIMIT) + 1
        if not end:
            if size - position >= LINE_LIMIT:
                raise ProtocolError("malformed")
            return -1
        match = _CHUNK_SIZE.match(data[position:end])
        if match is None:
            raise ProtocolError("malformed")
        self._remaining = int(match[1], 16)
        self.state = _CHUNK if self._remaining else _TRAILER
        return end

    def _chunk(self, data: bytes, position: int, size: int) -> int:
        end = min(position + self._remaining, size)
        self._remaining -= end - position
        if not self._remaining:
            self.state = _CHUNK_END
        return self._body(data, position, end)

    def _chunk_end(self, data: bytes, position: int, size: int) -> int:
        if data[position] == 10:
            end = position + 1
        elif size - position < 2 and data[position] == 13:
            return -1
        elif data[position : position + 2] == b"\r\n":
            end = position + 2
        else:
            raise ProtocolError("malformed")
        self.state = _SIZE
        return end

    def _trailer(self, data: bytes, position: int, size: int) -> int:
        end = data.find(b"\n", position, position + LINE_LIMIT) + 1
        if not end:
            if size - position >= LINE_LIMIT:
                raise ProtocolError("too_large")
            return -1
        if end - position <= 2 and data[position:end] in (b"\r\n", b"\n"):
            self.state = _HEAD
            self._on_end()
        elif self.on_body is not None and len(self.trailers) + end - position <= TRAILER_LIMIT:
            self.trailers += data[position:end]
        return end
