"""Listening sockets, and name resolution of upstream addresses."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress

from ..errors import UsageError
from ..system.addresses import Address

BACKLOG = 4096


def listen(address: Address) -> socket.socket:
    """Return a listening, non-blocking socket. Raise UsageError if the address cannot be used."""
    try:
        sock = _listen_unix(address.path) if address.path else _listen_tcp(address)
    except OSError as error:
        raise UsageError(f"cannot listen on {address}: {error.strerror or error}; choose another address") from error
    sock.setblocking(False)
    return sock


def resolve(address: Address) -> list[tuple[socket.AddressFamily, object]]:
    """Return (family, socket address) pairs, in the order to try. Raise UsageError if the name does not resolve."""
    if address.path:
        return [(socket.AF_UNIX, address.path)]
    try:
        found = socket.getaddrinfo(address.host or "127.0.0.1", address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(
            f"cannot resolve upstream {address}: {error.strerror or error}; check the host name"
        ) from error
    return [(family, target) for family, _, _, _, target in found]


def _listen_tcp(address: Address) -> socket.socket:
    if not address.host:
        return socket.create_server(("::", address.port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)


def _listen_unix(path: str) -> socket.socket:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(errno.EEXIST, "a file that is not a socket is in the way")
        _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, 0o660)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise OSError(errno.EADDRINUSE, "another process listens there")
