"""The exchanges that h11 finds in the bytes of one connection, as the expected result for the tracker."""

from __future__ import annotations

from dataclasses import dataclass, field

import h11


@dataclass
class Message:
    """One message that h11 parsed, complete or in part. `name` is the method or the status."""

    name: str
    body: bytes = b""
    whole: bool = False


@dataclass
class ParsedConnection:
    """The requests and the final responses of one connection, in order."""

    requests: list[Message] = field(default_factory=list)
    responses: list[Message] = field(default_factory=list)

    def exchanges(self) -> list[tuple[str, int, bytes, bytes]]:
        """Return method, status and both bodies of each complete exchange."""
        pairs = zip(self.requests, self.responses, strict=False)
        return [(up.name, int(down.name), up.body, down.body) for up, down in pairs if up.whole and down.whole]


def read(client_sent: bytes, server_sent: bytes, *, server_ended: bool) -> ParsedConnection:
    """Parse both directions with h11; `server_ended` is whether the server's direction ended with FIN."""
    seen = ParsedConnection(requests=_requests(client_sent))
    rest = server_sent
    for request in seen.requests:
        response, rest = _response(request.name, rest, server_ended)
        if response is None:
            break
        seen.responses.append(response)
        if not response.whole:
            break
    return seen


def _requests(sent: bytes) -> list[Message]:
    messages, rest = [], sent
    while rest := rest.lstrip(b"\r\n"):  # RFC 9112, 2.2 allows empty lines before a start line; h11 does not skip them
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        parser.receive_data(rest)
        event = _next(parser)
        if not isinstance(event, h11.Request):
            break
        message = Message(event.method.decode())
        messages.append(message)
        _body(parser, message)
        if not message.whole:
            break
        rest = _trailing(parser)
    return messages


def _response(method: str, sent: bytes, ended: bool) -> tuple[Message | None, bytes]:
    if not sent:
        return None, b""
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    parser.send(h11.Request(method=method, target="/", headers=[("Host", "m")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(sent)
    event = _next(parser)
    while isinstance(event, h11.InformationalResponse):
        event = _next(parser)
    if not isinstance(event, h11.Response):
        return None, b""
    message = Message(str(event.status_code))
    _body(parser, message, ended=ended)
    return message, _trailing(parser)


def _body(parser: h11.Connection, message: Message, ended: bool = False) -> None:
    """Read a body; `ended` is whether the stream ended with FIN after the bytes."""
    while not message.whole:
        event = _next(parser)
        if isinstance(event, h11.Data):
            message.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            message.whole = True
        elif event is h11.NEED_DATA and ended:
            ended = False
            parser.receive_data(b"")
        else:
            return


def _next(parser: h11.Connection) -> object:
    """Return the next event, or None if h11 rejects the bytes."""
    try:
        return parser.next_event()
    except h11.RemoteProtocolError:
        return None


def _trailing(parser: h11.Connection) -> bytes:
    return bytes(parser.trailing_data[0])
