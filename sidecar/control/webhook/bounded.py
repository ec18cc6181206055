"""A socket that reads a bounded number of bytes, so that a receiver cannot occupy the process with an endless response.

HTTP clients bound lines and heads, but not the number of interim responses or empty lines before a response.
"""

from __future__ import annotations

import socket
from typing import Any


class TooMuchReceivedError(OSError):
    """The peer sent more than the limit."""


class BoundedSocket(socket.socket):
    """A socket that raises TooMuchReceivedError once it has received more than `most` bytes."""

    def __init__(self, *args: Any, most: int) -> None:
        super().__init__(*args)
        self._most = most
        self._received = 0

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
