"""A socket that connects to allowed addresses only and reads a bounded number of bytes.

HTTP clients bound lines and heads, but not the number of interim responses or empty lines before a response. They also
connect to whatever address a name resolves to; only the socket has the last word.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any


class TooMuchReceivedError(OSError):
    """The peer sent more than the limit."""


class BoundedSocket(socket.socket):
    """A socket that raises TooMuchReceivedError once it has received more than `most` bytes.

    `check` is called with the IP address of each connection before it is made, and raises OSError to refuse it.
    """

    def __init__(self, *args: Any, most: int, check: Callable[[str], None] = lambda _address: None) -> None:
        super().__init__(*args)
        self._most = most
        self._check = check
        self._received = 0

    def connect(self, address: Any) -> None:
        """Connect as `socket.socket.connect` does, unless the address is refused."""
        self._check(str(address[0]))
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        """Connect as `socket.socket.connect_ex` does, unless the address is refused."""
        self._check(str(address[0]))
        return super().connect_ex(address)

    def recv(self, *args: Any) -> bytes:
        """Receive bytes as `socket.socket.recv` does; raise TooMuchReceivedError."""
        data = super().recv(*args)
        self._count(len(data))
        return data

    def recv_into(self, *args: Any) -> int:
        """Receive bytes as `socket.socket.recv_into` does; raise TooMuchReceivedError."""
        size = super().recv_into(*args)
        self._count(size)
        return size

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > self._most:
            raise TooMuchReceivedError(f"the receiver sent more than {self._most} bytes and no complete response")
