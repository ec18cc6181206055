"""A server at `:PORT` answers at each address of this machine, with TLS and without."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from pilotfish.sidecar.serving.server import BoundedServer
from pilotfish.sidecar.serving.tls import TlsContext, TlsFiles
from pilotfish.sidecar.system.addresses import AddressError
from tests.serving.served import ok
from tests.support.tls import ONE, trusting
from tests.support.waiting import patient
from tests.system.test_listening import without_ipv6

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def ask(host: str, port: int, *, secure: bool) -> bytes:
    async with asyncio.timeout(patient(10)):
        reader, writer = await asyncio.open_connection(
            host, port, ssl=trusting(ONE[0]) if secure else None, server_hostname="localhost" if secure else None
        )
        writer.write(REQUEST)
        try:
            return await reader.read()
        finally:
            writer.transport.abort()


@pytest.mark.asyncio
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("ipv6", [True, False])
async def test_a_port_alone_means_all_addresses(secure: bool, ipv6: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not ipv6:
        without_ipv6(monkeypatch, OSError(errno.EADDRNOTAVAIL, "off"))
    server = BoundedServer(ok, tls=TlsContext(TlsFiles(*ONE)) if secure else None)
    await server.start(":0")
    try:
        for host in ("127.0.0.1", "::1") if ipv6 and socket.has_dualstack_ipv6() else ("127.0.0.1",):
            assert (await ask(host, server.port, secure=secure)).startswith(b"HTTP/1.1 200")
    finally:
        await server.stop()


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_an_error_with_a_remedy() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=rf"cannot listen at ':{port}'.* --admin address"):
            await BoundedServer(ok).start(f":{port}")
