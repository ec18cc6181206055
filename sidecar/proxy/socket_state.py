"""What the kernel reports about a connection, and closing it with RST."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress

_LINGER_RESET = struct.pack("ii", 1, 0)
_INT = struct.Struct("i")


def reset_socket(sock: socket.socket) -> None:
    """Close `sock` with RST, if its address family supports it."""
    with suppress(OSError):  # a dead socket needs no RST
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    sock.close()


def unread_bytes(sock: socket.socket) -> int:
    """Return the number of received bytes that have not been read (SIOCINQ)."""
    return _query(sock, termios.FIONREAD)


def queued_bytes(sock: socket.socket) -> int:
    """Return the size of what was sent and is not acknowledged, or not read on a Unix socket (SIOCOUTQ)."""
    return _query(sock, termios.TIOCOUTQ)


def unacknowledged_bytes(sock: socket.socket) -> int:
    """Return the number of sent bytes, and FIN, that the peer has not acknowledged. A Unix socket loses none."""
    return 0 if sock.family == socket.AF_UNIX else queued_bytes(sock)


def _query(sock: socket.socket, request: int) -> int:
    return int(_INT.unpack(fcntl.ioctl(sock.fileno(), request, bytes(_INT.size)))[0])
