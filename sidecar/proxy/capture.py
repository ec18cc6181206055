"""The bodies of sampled exchanges, held within a memory budget that all captures share.

The observer creates a capture per sampled exchange; the parser fills it. A capture must be released exactly when its
exchange ends, or the budget shrinks. A body is kept in the pieces in which it was read, and the channel sends these
pieces: joining a body of 1 MiB would stop the loop for a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..channel.record import Piece

BUDGET_BYTES = 8 * 1024 * 1024
STREAM_BEGIN = 4 * 1024
STREAM_END = 8 * 1024
BODY_END = 2 * 1024
LAST_EVENTS = (b"data: [DONE]", b"data:[DONE]")  # of a stream of a language model; clients may leave at it
PIECE_BYTES = 16 * 1024  # smaller pieces are joined, so that the overhead of their objects stays below 1 %


class CaptureBudget:
    """The number of bytes that all captures together may hold."""

    def __init__(self, limit: int = BUDGET_BYTES) -> None:
        self.limit = limit
        self.used = 0

    def acquire(self, size: int) -> bool:
        """Reserve `size` bytes. If the budget is too small, reserve nothing and return False."""
        if self.used + size > self.limit:
            return False
        self.used += size
        return True

    def release_bytes(self, size: int) -> None:
        """Return reserved bytes to the budget."""
        self.used -= size


class CapturedBody(list[Piece]):
    """The pieces of the first bytes of one body, and their `size` together."""

    size = 0

    def add(self, data: bytes) -> None:
        """Add the next bytes without copying them, unless they and the last piece are small."""
        self.size += len(data)
        if not self or len(data) >= PIECE_BYTES or len(self[-1]) >= PIECE_BYTES:
            self.append(data)
            return
        last = self[-1]
        if isinstance(last, bytearray):
            last += data
        else:
            self[-1] = bytearray(last) + data


class BodyCapture:
    """Keeps the beginning of each body: `body_limit` bytes, or 4 KiB of an event stream.

    A response that is longer is truncated, and its end is kept, too: 8 KiB of an event stream, 2 KiB of another body.
    The counts of tokens are there.

    `exhausted` is true after the budget ran out: the capture has dropped its bytes and keeps no more.
    """

    __slots__ = (
        "_body_limit",
        "_budget",
        "_end",
        "_held",
        "_request",
        "_response",
        "exhausted",
        "is_stream",
        "request_truncated",
        "response_truncated",
    )

    def __init__(self, budget: CaptureBudget, body_limit: int) -> None:
        self._budget = budget
        self._body_limit = body_limit
        self._held = 0
        self._request = CapturedBody()
        self._response = CapturedBody()
        self._end = bytearray()
        self.exhausted = self.request_truncated = self.response_truncated = self.is_stream = False

    @property
    def request_body(self) -> Sequence[Piece]:
        """The pieces of the kept bytes of the request body."""
        return self._request

    @property
    def response_body(self) -> Sequence[Piece]:
        """The pieces of the kept bytes of the response body: its beginning, and its end if it is truncated."""
        return [*self._response, self._end] if self._end else self._response

    @property
    def is_stream_done(self) -> bool:
        """Whether the last event of a stream has arrived whole, though not yet the end of the response."""
        if not self.is_stream:
            return False
        end = b"".join(self.response_body[-2:])
        return end[-1:] == b"\n" and end.rstrip().endswith(LAST_EVENTS)

    def request(self, data: bytes) -> None:
        """Keep the next bytes of the request body, within the limits."""
        if self._keep(self._request, data, self._body_limit) < len(data):
            self.request_truncated = True

    def response(self, data: bytes) -> None:
        """Keep the next bytes of the response body, within the limits."""
        limit = STREAM_BEGIN if self.is_stream else self._body_limit
        kept = self._keep(self._response, data, limit)
        if kept < len(data):
            self.response_truncated = True
            end = STREAM_END if self.is_stream else min(BODY_END, self._body_limit)
            if end and not self.exhausted:
                self._keep_end(data[kept:], end)

    def release(self) -> None:
        """Drop the bodies and return their bytes to the budget."""
        self._budget.release_bytes(self._held)
        self._held = 0
        self._request, self._response, self._end = CapturedBody(), CapturedBody(), bytearray()

    def _keep(self, body: CapturedBody, data: bytes, limit: int) -> int:
        """Append bytes up to the limit and the budget; return their number."""
        if self.exhausted:
            return 0
        size = min(len(data), limit - body.size)
        if size <= 0:
            return 0
        if not self._budget.acquire(size):
            self.release()
            self.exhausted = True
            return 0
        self._held += size
        body.add(data[:size])
        return size

    def _keep_end(self, data: bytes, size: int) -> None:
        before = len(self._end)
        self._end += data[-size:]
        del self._end[:-size]
        grown = len(self._end) - before
        if grown > 0 and self._budget.acquire(grown):
            self._held += grown
        elif grown > 0:
            self.release()
            self.exhausted = True
