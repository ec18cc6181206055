"""Loopback addresses for the servers of a test."""

from __future__ import annotations

import os
import socket
from itertools import count

from tests.support.waiting import patient

# Below the kernel's ephemeral ports (from 32768), so that no outgoing connection takes a port before its server does.
FIRST, LAST = 10_240, 32_000


def _ports() -> tuple[int, int]:
    """Return the first port of this pytest worker, and how many ports it has: no two workers share one."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = (LAST - FIRST) // workers
    return FIRST + worker * width, width


_next = count(os.getpid() * 97)  # two runs at the same time start at different ports


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port of this worker that nothing listens on at `host` now; it is not returned again soon."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    first, width = _ports()
    for _ in range(width):
        port = first + next(_next) % width
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {first} to {first + width - 1} is free at {host}")


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether something accepts connections at `host`:`port`; for `wait_until`."""
    try:
        socket.create_connection((host, port), timeout=patient(1)).close()
    except OSError:
        return False
    return True
