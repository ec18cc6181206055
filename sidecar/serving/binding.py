"""Binds the TCP address of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..system.addresses import Address
from ..system.listening import listen_everywhere


async def bind(
    protocol: Callable[[], asyncio.Protocol], address: Address, backlog: int, *, start_serving: bool = True
) -> asyncio.Server:
    """Return a server at `address`; an empty host means all addresses. Raise OSError if it cannot be bound."""
    loop = asyncio.get_running_loop()
    if address.host:  # a name may have several addresses, and asyncio binds all of them
        return await loop.create_server(
            protocol, address.host, address.port, backlog=backlog, start_serving=start_serving
        )
    listening = listen_everywhere(address.port, backlog)
    return await loop.create_server(protocol, sock=listening, backlog=backlog, start_serving=start_serving)
