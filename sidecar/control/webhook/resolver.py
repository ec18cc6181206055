"""Looks up the names of one receiver in a thread of its own.

A name server that does not answer blocks a thread for many seconds, longer than the attempt lasts. In the common pool,
a few such receivers would stop all deliveries, and the writing of the outbox.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Executor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult


class OwnResolver(AbstractResolver):
    """A resolver that uses the threads of `pool` only."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raise OSError."""
        lookup = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._pool, lookup)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Do nothing: the pool serves the next attempt, too."""
