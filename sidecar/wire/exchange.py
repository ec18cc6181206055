"""The protocol-neutral interface of this package: Exchange, Parser, ExchangeListener and BodySink.

A parser calls its listener, and the listener returns the body sink. Nothing here may depend on one wire protocol.
"""

from __future__ import annotations

from typing import Protocol, TypeVar


class BodySink(Protocol):
    """Receives the bodies of one exchange, without the framing of the protocol (chunks, DATA frames)."""

    def request(self, data: bytes) -> None:
        """Receive the next bytes of the request body."""

    def response(self, data: bytes) -> None:
        """Receive the next bytes of the response body."""


class Exchange:
    """One request and its response.

    Times are monotonic nanoseconds, 0 while unknown. Sizes are body sizes in bytes. Headers and trailers are header
    blocks, see `headers.py`. A parser creates exchanges of the class that its caller passes, so that a listener can add
    attributes. Default values are class attributes: setting them on each object would slow down every exchange.

    method, target      of the request; `target` is the request-target of HTTP/1.1 (RFC 9112, 3.2), `:path` of HTTP/2
    user_agent          the first User-Agent field of the request, or ""
    bodies              receives the bodies, or None when they are not captured
    is_stream           whether the response is an event stream
    """

    status = first_byte = ended = request_bytes = response_bytes = 0
    request_complete = response_complete = is_stream = False
    response_headers = request_trailers = response_trailers = b""
    bodies: BodySink | None = None

    def __init__(self, method: str, target: str, user_agent: str, headers: bytes, started: int) -> None:
        self.method = method
        self.target = target
        self.user_agent = user_agent
        self.request_headers = headers
        self.started = started

    @property
    def complete(self) -> bool:
        """Return whether both messages were parsed to their ends."""
        return self.request_complete and self.response_complete


E = TypeVar("E", bound=Exchange)
E_contra = TypeVar("E_contra", bound=Exchange, contravariant=True)


class ExchangeListener(Protocol[E_contra]):
    """Receives the exchanges that a parser finds on one connection."""

    def requested(self, exchange: E_contra) -> BodySink | None:
        """Handle the end of a request's header section. Return the sink for the bodies, or None to capture none."""

    def answered(self, exchange: E_contra) -> None:
        """Handle the header section of the final response. Not called if the whole response arrived in one read."""

    def streamed(self, exchange: E_contra, now: int, first: bool, events: int) -> None:
        """Handle `events` portions of an event stream that arrived at once; `first` marks the exchange's first ones."""

    def finished(self, exchange: E_contra) -> None:
        """Handle the end of an exchange; `exchange.complete` is true if both messages were parsed to their ends."""

    def went_opaque(self, reason: str) -> None:
        """Handle the end of parsing. Called at most once. Only `opaque_bytes`, and `finished` of a tunnel, follow."""

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        """Count bytes that were forwarded on an opaque connection."""


class Parser(Protocol):
    """A passive parser of one connection, implemented once per wire protocol. All times are monotonic ns.

    `client` and `server` receive the bytes of each side in order, after the relay has forwarded them. The relay reuses
    its buffer, so they copy what they keep. They never raise for bytes that a peer sent. Instead, the parser calls
    `went_opaque`, and only counts bytes from then on.
    """

    @property
    def protocol(self) -> str:
        """Return the ALPN identifier of the protocol, such as `http/1.1` or `h2`, for the records."""

    @property
    def opaque(self) -> str | None:
        """Return why parsing ended, one of `channel.layout.DOWNGRADES`, or None while it goes on."""

    @property
    def idle(self) -> bool:
        """Return whether the connection is between two exchanges. False once it is opaque."""

    def client(self, view: memoryview, now: int, /) -> None:
        """Parse bytes that the client sent."""

    def server(self, view: memoryview, now: int, /) -> None:
        """Parse bytes that the server sent."""

    def server_ended(self, now: int, /) -> None:
        """Handle the end of the server's direction, which may complete a response."""

    def closed(self, now: int, /) -> None:
        """Handle the end of the connection: finish every exchange that is still open."""

    def abandon(self) -> None:
        """Drop all state and make no more calls, because the parser or its listener has failed."""
