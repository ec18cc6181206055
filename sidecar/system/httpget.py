"""The HTTP client of the commands: one GET request with a deadline and with bounds on the bytes of head and body.

The server may be anything that answers at the address. `http.client` alone waits for ever for a server that sends a
byte now and then, and reads any number of interim responses. Standard library only.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import PilotfishError, quote_value
from .addresses import Address

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_HEAD = 256 * 1024  # bytes, with all interim responses
MAX_ERROR_BODY = 1000  # bytes of the body of a refusal that are shown
CHUNK = 1024 * 1024


class HttpGetError(PilotfishError):
    """There is no usable response. The message completes a sentence `ADDRESS/PATH: ...`."""


class HttpStatusError(HttpGetError):
    """The response has another status than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        shown = body.decode("utf-8", "replace").strip()
        super().__init__(f"answered with status {status}" + (f": {quote_value(shown, 200)}" if shown else ""))


def get(address: Address, path: str, headers: Mapping[str, str], *, most: int, seconds: float) -> bytes:
    """Return the body of a response with status 200, as `stream` does."""
    return b"".join(stream(address, path, headers, most=most, seconds=seconds))


def stream(address: Address, path: str, headers: Mapping[str, str], *, most: int, seconds: float) -> Iterator[bytes]:
    """Yield the parts of the body of a response with status 200; redirects are not followed.

    Raise HttpGetError for another status, for a body of more than `most` bytes, and if the response is not complete
    after `seconds`.
    """
    with _errors(seconds), _connected(address, seconds) as (connection, limits):
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        limits.room = most + MAX_HEAD  # chunks have heads, too
        if response.status != http.client.OK:
            raise HttpStatusError(response.status, response.read(MAX_ERROR_BODY))
        read = 0
        while part := response.read(CHUNK):
            read += len(part)
            if read > most:
                raise HttpGetError(f"the response is larger than {most >> 20} MiB")
            yield part
        if response.length:  # http.client ends without an error
            raise HttpGetError("the response is cut off")


@contextmanager
def _connected(address: Address, seconds: float) -> Iterator[tuple[http.client.HTTPConnection, _BoundedReader]]:
    deadline = time.monotonic() + seconds
    with socket.create_connection(address.pair, seconds) as sock:
        connection = http.client.HTTPConnection(*address.pair)
        limits = _BoundedReader(sock, deadline)
        connection.sock = _BoundedSocket(limits)  # has what http.client uses of a socket
        yield connection, limits


@contextmanager
def _errors(seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise HttpGetError(f"no complete response within {seconds:g} s") from error
    except OSError as error:
        raise HttpGetError(f"no answer ({error.strerror or error})") from error
    except (http.client.HTTPException, ValueError) as error:  # ValueError: chunk sizes that are no sizes
        raise HttpGetError(f"the answer is not HTTP ({type(error).__name__}: {quote_value(str(error))})") from error


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until a deadline (monotonic seconds); `room` is the number of bytes that may still come."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock = sock
        self.room = MAX_HEAD
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)
        count = self.sock.recv_into(buffer)
        self.room -= count
        if self.room < 0:
            raise HttpGetError("the response has more bytes than it may have")
        return count


class _BoundedSocket:
    """The methods of a socket that `http.client` calls, with reads by a `_BoundedReader`."""

    def __init__(self, reader: _BoundedReader) -> None:
        self._reader = reader

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # always "rb"
        return io.BufferedReader(self._reader)

    def sendall(self, data: bytes) -> None:
        self._reader.sock.sendall(data)

    def close(self) -> None:
        """Leave the socket open: `http.client` calls this when the body follows, and `_connected` closes the socket."""
