"""A case: a script over a wire, and the exchanges that the proxy must report for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.wire import Wire

PATH = b"/v2/models/m/infer"
ROUTE = "POST /v2/models/{model}/infer"


@dataclass(frozen=True, slots=True)
class Case:
    """One script, and what the proxy must count and record.

    play        the script; it asserts bytes, order, and how each direction ends
    exchanges   `METHOD status` of each complete exchange, in order
    aborted     number of POST exchanges cut off by the end of the connection or by a downgrade
    downgrade   the reason if the connection becomes opaque: a name of `layout.DOWNGRADES`, or `any`
    clean       h11 parses all bytes, too, so the bodies are compared with h11
    lockstep    the script waits for each piece to arrive, so it can be sent byte by byte
    """

    play: Callable[[Wire], None]
    exchanges: tuple[str, ...] = ()
    aborted: int = 0
    downgrade: str | None = None
    clean: bool = True
    lockstep: bool = True

    @property
    def name(self) -> str:
        """Return the script's name."""
        return self.play.__name__

    @property
    def total(self) -> int:
        """Return the number of counted exchanges, including one that opens a tunnel."""
        return len(self.exchanges) + self.aborted + (self.downgrade in ("connect", "upgrade"))


def post(body: bytes, *headers: bytes, path: bytes = PATH) -> bytes:
    """Return a POST with a Content-Length."""
    lines = (b"POST " + path + b" HTTP/1.1", b"Host: m", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def bare(method: bytes, *headers: bytes, path: bytes = PATH) -> bytes:
    """Return a request without a body."""
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: m", *headers)) + b"\r\n\r\n"


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a response with a Content-Length."""
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers)) + b"\r\n\r\n" + body


def head(status: bytes, *headers: bytes) -> bytes:
    """Return the head of a response without a body."""
    return b"\r\n".join((b"HTTP/1.1 " + status, *headers)) + b"\r\n\r\n"


def chunked(*chunks: bytes, trailers: tuple[bytes, ...] = (), extension: bytes = b"") -> bytes:
    """Return a chunked body."""
    parts = [b"%x" % len(chunk) + extension + b"\r\n" + chunk + b"\r\n" for chunk in chunks]
    return b"".join(parts) + b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"
