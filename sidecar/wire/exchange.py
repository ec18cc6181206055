"""The protocol-neutral interface of this package: one exchange, the parser that finds it, and the parser's listener."""

from __future__ import annotations

from typing import Protocol, TypeVar


class BodySink(Protocol):
    """Takes the bodies of one exchange, without the framing of the protocol (chunks, DATA frames)."""

    def request(self, data: bytes) -> None:
        """Take the next bytes of the request's body."""

    def response(self, data: bytes) -> None:
        """Take the next bytes of the response's body."""


class Exchange:
    """One request and its response.

    Times are monotonic nanoseconds, 0 while unknown. Sizes are those of bodies, in bytes. Headers and trailers are
    header blocks, see `headers.py`. A parser makes exchanges of the class that it was given, so that a listener may
    add attributes of its own. Default values are class attributes, because most exchanges are short.

    method, target      the request's; `target` is the request-target of HTTP/1.1 (RFC 9112, 3.2), `:path` of HTTP/2
    user_agent          the first User-Agent field of the request, or ""
    bodies              receives the bodies, or None when nobody needs them
    is_stream           whether the response is a stream of events
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
        """Return whether both messages were view to their ends."""
        return self.request_complete and self.response_complete


E = TypeVar("E", bound=Exchange)
E_contra = TypeVar("E_contra", bound=Exchange, contravariant=True)


class ExchangeListener(Protocol[E_contra]):
    """Receives what a parser finds on one connection."""

    def requested(self, exchange: E_contra) -> BodySink | None:
        """Handle the end of a request's header section; return what takes the bodies of this exchange."""

    def answered(self, exchange: E_contra) -> None:
        """Handle the header section of the final response; not called where the whole response came in one portion."""

    def streamed(self, exchange: E_contra, now: int, first: bool) -> None:
        """Handle bytes of an event stream."""

    def finished(self, exchange: E_contra) -> None:
        """Handle the end of an exchange; `exchange.complete` says whether it was view whole."""

    def went_opaque(self, reason: str) -> None:
        """Handle the end of parsing, once at most. Only `opaque_bytes`, and `finished` of a tunnel, follow."""

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        """Count bytes that passed on an opaque connection."""


class Parser(Protocol):
    """What a wire protocol implements: a passive parser of one connection. All times are monotonic ns.

    `client` and `server` receive the bytes of each side in order, after the relay has forwarded them. They copy what
    they keep. They never raise for what a peer sent: the parser calls `went_opaque` and counts bytes from then on.
    """

    @property
    def protocol(self) -> str:
        """Return the ALPN identifier of the protocol, such as `http/1.1` or `h2`; it goes into each record."""

    @property
    def opaque(self) -> str | None:
        """Return why the parser gave up, one of `channel.layout.DOWNGRADES`, or None."""

    def client(self, view: memoryview, now: int, /) -> None:
        """Take bytes that the client sent."""

    def server(self, view: memoryview, now: int, /) -> None:
        """Take bytes that the server sent."""

    def server_ended(self, now: int, /) -> None:
        """Handle the end of the server's direction, which may complete a response."""

    def closed(self, now: int, /) -> None:
        """Handle the end of the connection: finish every exchange that is still open."""

    def abandon(self) -> None:
        """Let go of all state and call nobody, because the parser or its listener has failed."""
