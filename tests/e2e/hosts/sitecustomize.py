"""Resolves names for a test, in processes that start with this folder in PYTHONPATH.

The file $PILOTFISH_TEST_HOSTS has one `NAME ADDRESS` a line, and is read at each look-up. A name ending in `.test` that
it lacks does not exist. Everything else is resolved as usual.
"""

from __future__ import annotations

import os
import socket
from typing import Any

_resolve = socket.getaddrinfo


def _getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
    if named.get("flags", 0) & socket.AI_NUMERICHOST:
        return _resolve(host, port, *more, **named)
    with open(os.environ["PILOTFISH_TEST_HOSTS"], encoding="utf-8") as file:
        hosts = dict(line.split() for line in file)
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.endswith(".test") and name not in hosts:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _resolve(hosts.get(name, host), port, *more, **named)


if "PILOTFISH_TEST_HOSTS" in os.environ:
    socket.getaddrinfo = _getaddrinfo
