"""One direction of an HTTP/1.1 connection: finds heads, bodies and message ends, however the bytes are split.

The tracker has one framer for requests and one for responses. A framer decides where a message ends, as RFC 9112, 6.3
specifies. If that is not certain, it must raise ProtocolError instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from ..budget import CHUNK, EMPTY_LINE, FREE, QUANTUM, READ_LIMIT, SCAN, STEP, ParseBudget, head_cost
from ..errors import ProtocolError
from .heads import CHUNKED

HEAD_LIMIT = 64 * 1024
LINE_LIMIT = 4 * 1024
TRAILER_LIMIT = 4 * 1024  # bytes of a trailer section that are kept, in whole lines
USUAL_HEAD = 4 * 1024  # bytes; searching more for the end of a head is charged to the parse budget
USUAL_LINES = 64  # lines of a head that is parsed at no charge: 25 us
FEW_LINES = 512  # bytes of a head whose lines need not be counted

_HEAD_END = re.compile(rb"\n\r?\n")
_EMPTY_LINES = re.compile(rb"(?:\n++|\r\n)*+")  # allowed before a start line (RFC 9112, 2.2)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15}+)[ \t]*+(?:;[^\x00\r\n]*+)?\r?\n")
_CHUNK_BATCH = 64  # chunks between two checks of the cost


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
_LINE_ENDS = b"\r\n"
_CHUNK_ENDS = (b"\r\n", b"\n")
_LF = 10


class Framer:
    """Calls `on_head(raw) -> length`, `on_body(data)` and `on_end()` while it parses one direction.

    `on_head` returns the length of the body that follows: bytes, CHUNKED or UNTIL_CLOSE.

    on_body     receives the body; if it is None, the body is only counted in `body_bytes`
    chunks      the number of chunks in the bytes that `on_body` receives; 1 if the body is not chunked
    started     arrival time of the first byte of the message, in monotonic ns
    unread      number of bytes of the last read that followed a `stop`
    paused      while true, no further head is parsed
    trailers    if `on_body` is set: the trailer section at the end of a message, a header block of at most
                TRAILER_LIMIT bytes; `on_end` reads it and resets it to b""
    """

    __slots__ = (
        "_allowed",
        "_budget",
        "_cost",
        "_now",
        "_on_end",
        "_on_head",
        "_remaining",
        "_scanned",
        "_unparsed",
        "body_bytes",
        "chunks",
        "on_body",
        "paused",
        "started",
        "state",
        "trailers",
        "unread",
    )

    def __init__(self, on_head: Callable[[bytes], int], on_end: Callable[[], None], budget: ParseBudget) -> None:
        self._on_head = on_head
        self._on_end = on_end
        self._budget = budget
        self.on_body: Callable[[bytes], None] | None = None
        self.state: int = _HEAD
        self.paused = False
        self.chunks = 1
        self.unread = 0
        self.started = 0
        self.body_bytes = 0
        self.trailers = b""
        self._now = 0
        self._cost = 0  # nominal ns of the current read
        self._allowed = 0  # the part of it that is free or has been drawn from the budget
        self._unparsed = bytearray()
        self._scanned = 0
        self._remaining = 0

    def whole_head(self, data: bytes) -> int:
        """Return the end of the head if `data` begins a message and contains its whole head, of usual cost; else 0."""
        if self.state or self._unparsed or self.paused:
            return 0
        end = data.find(b"\r\n\r\n", 0, USUAL_HEAD)
        if end > FEW_LINES and data.count(b"\n", 0, end) > USUAL_LINES:
            return 0
        return end + 4 if end > 0 else 0

    @property
    def buffered(self) -> bytearray:
        """The received bytes that are not parsed yet, such as the beginning of a head. Do not change them."""
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
        self._unparsed = bytearray()
        self.on_body = None

    def release(self, now: int) -> None:
        """End the pause and parse the bytes that arrived during it."""
        self.paused = False
        if self._unparsed:
            self.feed(b"", now)

    def feed(self, data: bytes, now: int) -> None:
        """Parse the next bytes; raise ProtocolError if they cannot be parsed with certainty, or cost too much."""
        self._cost, self._allowed, self._now = 0, FREE, now
        if self._unparsed:
            self._unparsed += data
            self._charge_search(len(data))
            if self.state == _HEAD and not self._may_continue():
                return
            data = bytes(self._unparsed)
            self._unparsed = bytearray()
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
                self._unparsed = bytearray(data[position:])
                used = size
            elif used > position and self.state == _HEAD:
                self.started = now
            position = used
            self._cost += STEP
            if self._cost > self._allowed:
                self._pay()

    def end_of_file(self) -> None:
        """Handle the end of the stream, which ends a message whose body lasts until close."""
        if self.state == _UNTIL_CLOSE:
            self.state = _HEAD
            self._on_end()

    def _pay(self) -> None:
        """Draw from the parse budget what the current read costs beyond its free part."""
        while self._cost > self._allowed:
            if self._allowed >= READ_LIMIT:
                raise ProtocolError("too_costly")
            self._budget.draw(self._now)
            self._allowed += QUANTUM

    def _charge_search(self, size: int) -> None:
        if size > USUAL_HEAD:
            self._cost += SCAN * size
            self._pay()

    def _may_continue(self) -> bool:
        """Return whether the buffered bytes contain the end of a head that may be parsed now."""
        unparsed = self._unparsed
        if not self.paused and _HEAD_END.search(unparsed, max(0, self._scanned - 2)):
            return True
        if len(unparsed) > HEAD_LIMIT:
            raise ProtocolError("too_large")
        if not self.paused:
            self._scanned = len(unparsed)
        return False

    def _head(self, data: bytes, position: int) -> int:
        self._scanned = 0
        if self.paused:
            if len(data) - position > HEAD_LIMIT:
                raise ProtocolError("too_large")
            return -1
        if data[position] in _LINE_ENDS:
            empty = _EMPTY_LINES.match(data, position, position + LINE_LIMIT)
            if empty is not None and empty.end() > position:
                self._cost += EMPTY_LINE * (empty.end() - position)
                return empty.end()
        match = _HEAD_END.search(data, position, position + USUAL_HEAD)
        if match is None and len(data) > position + USUAL_HEAD:
            self._charge_search(len(data) - position)
            match = _HEAD_END.search(data, position)
        end = len(data) if match is None else match.end()
        if end - position > HEAD_LIMIT:
            raise ProtocolError("too_large")
        if match is None:
            self._scanned = end - position
            return -1
        raw = data[position:end]
        self._cost += head_cost(raw)
        if self._cost > self._allowed:
            self._pay()
        self.body_bytes = 0
        length = self._on_head(raw)
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
        whole = self._whole_chunks(data, position)
        if whole > position:
            return whole
        match = _CHUNK_SIZE.match(data, position, position + LINE_LIMIT)
        if match is None:
            if data.find(b"\n", position, position + LINE_LIMIT) >= 0 or size - position >= LINE_LIMIT:
                raise ProtocolError("malformed")
            return -1
        self._remaining = int(match[1], 16)
        self.state = _CHUNK if self._remaining else _TRAILER
        return match.end()

    def _whole_chunks(self, data: bytes, position: int) -> int:
        """Parse the chunks that lie whole in `data`, at most a batch of them. Return where they end."""
        parts, match_size = [], _CHUNK_SIZE.match
        for _ in range(_CHUNK_BATCH):
            match = match_size(data, position, position + LINE_LIMIT)
            if match is None:
                break
            begin = match.end()
            end = begin + int(match[1], 16)
            if end == begin or not data.startswith(_CHUNK_ENDS, end):
                break
            parts.append(data[begin:end])
            position = end + 1 if data[end] == _LF else end + 2
        if parts:
            self._cost += CHUNK * len(parts)
            self.chunks = len(parts)
            body = b"".join(parts)
            self._body(body, 0, len(body))
            self.chunks = 1
        return position

    def _chunk(self, data: bytes, position: int, size: int) -> int:
        end = min(position + self._remaining, size)
        self._remaining -= end - position
        if not self._remaining:
            self.state = _CHUNK_END
        return self._body(data, position, end)

    def _chunk_end(self, data: bytes, position: int, size: int) -> int:
        if data[position] == _LF:
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
