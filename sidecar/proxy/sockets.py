"""Listening sockets, socket options, and name resolution of upstream addresses."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from ..errors import UsageError
from ..system.addresses import Address
from ..system.listening import listen_everywhere

BACKLOG = 4096
SocketAddress: TypeAlias = "str | tuple[str, int] | tuple[str, int, int, int]"

# A peer that vanished (power, network, a dropped NAT entry) is found after 60 + 6 * 15 = 150 s of silence. Without
# probes it is never found: the proxy's kernel answers the probes of the other side. Linux's own default is 2 h.
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
)


class Target(NamedTuple):
    """One socket address of an upstream."""

    family: socket.AddressFamily
    address: SocketAddress


def listen(address: Address) -> socket.socket:
    """Return a listening, non-blocking socket. Raise UsageError if the address cannot be used.

    Accepted TCP sockets inherit the options of `configure_tcp` from it, which saves system calls per connection.
    """
    try:
        sock = _listen_unix(address.path) if address.path else _listen_tcp(address)
    except (OSError, ValueError) as error:  # ValueError: a host name that the codec of DNS names rejects
        raise UsageError(f"cannot listen on {address}: {_reason(error)}; choose another address") from error
    sock.setblocking(False)
    return sock


def configure_tcp(sock: socket.socket) -> None:
    """Send each write at once (TCP_NODELAY), and find vanished peers (keepalive probes)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for level, option, value in KEEPALIVE:
        sock.setsockopt(level, option, value)


def literal_targets(address: Address) -> tuple[Target, ...]:
    """Return the target of an address that needs no resolution: a path or an IP address. Return () for a name."""
    if address.path:
        return (Target(socket.AF_UNIX, address.path),)
    with suppress(OSError, ValueError):
        return _lookup(address, socket.AI_NUMERICHOST)
    return ()


def resolve(address: Address) -> tuple[Target, ...]:
    """Return the targets of an address, in the order to try. Blocks. Raise OSError if the name does not resolve."""
    try:
        targets = literal_targets(address) or _lookup(address, 0)
    except ValueError as error:
        raise OSError(errno.EINVAL, "not a valid host name") from error
    if not targets:
        raise OSError(errno.EADDRNOTAVAIL, "no IP address is known for it")
    return targets


def _lookup(address: Address, flags: int) -> tuple[Target, ...]:
    found = socket.getaddrinfo(address.host or "127.0.0.1", address.port, type=socket.SOCK_STREAM, flags=flags)
    # the type of an address also covers builds of Python without IPv6, which getaddrinfo describes in another form
    return tuple(Target(family, target) for family, _, _, _, target in found)  # type: ignore[arg-type]


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError):
        return "not a valid host name"
    return (error.strerror or str(error)).partition(" (while attempting")[0]  # `create_server` adds the address


def _listen_tcp(address: Address) -> socket.socket:
    sock = _bind_tcp(address)
    configure_tcp(sock)
    return sock


def _bind_tcp(address: Address) -> socket.socket:
    if not address.host:
        return listen_everywhere(address.port, BACKLOG)
    family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server(address.pair, family=family, backlog=BACKLOG)


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
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        failure = probe.connect_ex(path)
    if failure == errno.ECONNREFUSED:
        os.unlink(path)
    elif failure in (0, errno.EAGAIN):  # EAGAIN: its backlog is full
        raise OSError(errno.EADDRINUSE, "another process listens there")
    else:
        raise OSError(failure, os.strerror(failure))
