"""Listens at all addresses of this machine by one socket, for all servers that accept `:PORT`.

One socket has one port, also for port 0. asyncio would bind a socket for each family, and fail where IPv6 is off.
"""

from __future__ import annotations

import errno
import socket

# errors of `socket` and `bind` where the kernel, or this network namespace, has no IPv6
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


def listen_everywhere(port: int, backlog: int) -> socket.socket:
    """Return a socket that listens at `port` for IPv6 and IPv4, or for IPv4 alone without IPv6. Raise OSError."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return socket.create_server(("", port), backlog=backlog)
