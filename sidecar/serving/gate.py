"""Decides which bytes of a connection reach the HTTP parser: one request at a time, with a bounded head and body.

The parser of aiohttp keeps a head of any size, and what it cannot parse stays in memory with its error. So clients
without a token could fill the memory of the analyzer. The gate refuses such bytes before they are parsed. It is free of
I/O: `connections.py` feeds it and answers for it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_CHUNKED_BYTES = 2 * MAX_BODY_BYTES  # on the wire, with the framing of the chunks

# a target with a host of its own would leave in doubt which Host counts
_LINE = re.compile(rb"[A-Z]{1,16} /[!-~]* HTTP/1\.[01]\Z")
_BEGINNING_OF_LINE = re.compile(rb"(?:[A-Z]{1,16}(?: (?:/[!-~]*(?: [!-~]{0,8})?)?)?)?\r?\Z")
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding)[ \t]*+:([^\n]*+)", re.IGNORECASE)  # never backtracks
_END = b"\r\n\r\n"


class RefusedBytesError(Exception):
    """The bytes are not an acceptable request. `status` is the HTTP status of the answer."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class RequestGate:
    """Splits the bytes of one connection into requests and passes on one at a time.

    A request with chunks is the last one of its connection, because the gate does not search for its end.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()  # bytes of the next head, or of what follows the current request
        self._searched = 0
        self._in_request = False
        self._answered = False
        self._left = 0  # bytes of a body with a known length that have not arrived
        self._chunked = False
        self._chunked_bytes = 0

    @property
    def holds(self) -> bool:
        """Return whether bytes wait until the current request has been answered."""
        return self._in_request and bool(self._waiting)

    @property
    def last(self) -> bool:
        """Return whether no further request can follow the current one."""
        return self._chunked

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Yield the portions of `data`, and of bytes received before, that can be parsed now.

        Raises RefusedBytesError for bytes that cannot be a request, and for a head or a body that is too large.
        """
        if self._in_request:
            data = yield from self._body(data)
        self._waiting += data
        if self._in_request and self._answered and not self._left:
            yield from self._next()
        elif not self._in_request:
            yield from self._head()

    def answered(self) -> Iterator[bytes]:
        """End the current request. Yield the portions of the next one that have arrived already; raise as `receive`.

        After an early answer, the rest of the body is still passed on.
        """
        self._answered = True
        if not self._left:
            yield from self._next()

    def _next(self) -> Iterator[bytes]:
        self._in_request = self._chunked = self._answered = False
        yield from self._head()

    def _head(self) -> Iterator[bytes]:
        waiting = self._waiting
        if waiting.startswith((b"\r", b"\n")):  # empty lines before a request (RFC 9112, 2.2)
            self._waiting = waiting = waiting.lstrip(b"\r\n")
            self._searched = 0
        end = waiting.find(_END, max(0, self._searched - len(_END)))
        if not 0 <= end <= MAX_HEAD_BYTES:
            self._check_start()
            if len(waiting) > MAX_HEAD_BYTES:
                raise RefusedBytesError(431, f"the head of the request is larger than {MAX_HEAD_BYTES >> 10} KiB")
            self._searched = len(waiting)
            return
        self._check_start()
        head = bytes(waiting[: end + len(_END)])
        rest = bytes(waiting[end + len(_END) :])
        self._left, self._chunked = _framing(head)
        self._searched, self._in_request = 0, True
        waiting.clear()
        yield head
        waiting += yield from self._body(rest)

    def _check_start(self) -> None:
        """Refuse bytes with which no request can begin, before its head is complete."""
        line, complete, _ = self._waiting.partition(b"\r\n")
        if (_LINE if complete else _BEGINNING_OF_LINE).match(line) is None:
            raise RefusedBytesError(400, "not an HTTP/1.1 request")

    def _body(self, data: bytes) -> Generator[bytes, None, bytes]:
        """Yield what belongs to the current body; return the bytes behind it."""
        taken = data if self._chunked else data[: self._left]
        if taken:
            if self._chunked:
                self._chunked_bytes += len(taken)
                if self._chunked_bytes > MAX_CHUNKED_BYTES:
                    raise RefusedBytesError(413, "the chunks of the body are too large")
            else:
                self._left -= len(taken)
            yield taken
        return data[len(taken) :]


def _framing(head: bytes) -> tuple[int, bool]:
    """Return the length of the body, and whether it comes in chunks instead (RFC 9112, 6.3)."""
    found = [(name.lower(), value.strip(b" \t\r")) for name, value in _FRAMING.findall(head)]
    lengths = {value for name, value in found if name == b"content-length"}
    codings = [value.lower() for name, value in found if name == b"transfer-encoding"]
    if codings:
        if codings != [b"chunked"] or lengths:
            raise RefusedBytesError(400, "the length of the body is ambiguous")
        return 0, True
    if not lengths:
        return 0, False
    value = lengths.pop()
    if lengths or not value.isdigit():
        raise RefusedBytesError(400, "the length of the body is ambiguous")
    if len(value) > 12 or int(value) > MAX_BODY_BYTES:
        raise RefusedBytesError(413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB")
    return int(value), False
