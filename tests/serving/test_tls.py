"""TLS: old versions and silent clients are dropped, and changed files are used by new connections."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.serving import tls
from pilotfish.sidecar.serving.connections import abort_transport
from pilotfish.sidecar.serving.server import BoundedServer
from pilotfish.sidecar.serving.tls import HandshakeLog, TlsContext, TlsFiles
from tests.serving.served import connected, ok, until_closed
from tests.support.tls import ONE, OTHER, trusting
from tests.support.waiting import eventually, patient

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    use(tmp_path, ONE)
    return TlsFiles(tmp_path / "tls.crt", tmp_path / "tls.key")


def use(folder: Path, pair: tuple[Path, Path]) -> None:
    """Put a pair into force by a link, as a Secret volume does."""
    fresh = Path(tempfile.mkdtemp(dir=folder))
    for name, source in zip(("tls.crt", "tls.key"), pair, strict=True):
        shutil.copy(source, fresh / name)
        (folder / "next").symlink_to(fresh / name)
        (folder / "next").rename(folder / name)


@asynccontextmanager
async def serving(context: TlsContext) -> AsyncIterator[int]:
    server = BoundedServer(ok, tls=context)
    await server.start("127.0.0.1:0")
    try:
        yield server.port
    finally:
        await server.stop()


async def ask(port: int, trusted: Path) -> bytes:
    async with asyncio.timeout(patient(10)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(trusted))
        writer.write(REQUEST)
        try:
            return await reader.read()
        finally:
            writer.transport.abort()


@pytest.mark.asyncio
async def test_a_changed_certificate_is_used_by_new_connections(files: TlsFiles, tmp_path: Path) -> None:
    async with serving(TlsContext(files)) as port:
        assert (await ask(port, ONE[0])).endswith(b"ok")
        use(tmp_path, OTHER)
        assert (await ask(port, OTHER[0])).endswith(b"ok")
        with pytest.raises(ssl.SSLError):
            await ask(port, ONE[0])


@pytest.mark.asyncio
async def test_files_that_do_not_fit_leave_the_certificate_in_force_and_are_reported(
    files: TlsFiles, tmp_path: Path
) -> None:
    context = TlsContext(files)
    async with serving(context) as port:
        use(tmp_path, (ONE[0], OTHER[1]))
        assert (await ask(port, ONE[0])).endswith(b"ok")
        assert "previous certificate stays in force" in context.problem
        files.key.unlink()
        assert (await ask(port, ONE[0])).endswith(b"ok")
        use(tmp_path, OTHER)
        assert (await ask(port, OTHER[0])).endswith(b"ok")
        assert context.problem == ""


@pytest.mark.parametrize("content", [b"", b"not a key", OTHER[1].read_bytes()])
def test_a_key_that_cannot_be_used_is_refused_at_the_start(files: TlsFiles, content: bytes) -> None:
    files.key.unlink()
    files.key.write_bytes(content)
    with pytest.raises(UsageError, match="cannot use the certificate") as refused:
        TlsContext(files)
    assert "PRIVATE" not in str(refused.value)


@pytest.mark.asyncio
async def test_old_versions_are_refused(files: TlsFiles) -> None:
    old = trusting(ONE[0])
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(TlsContext(files)) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=old)
        assert (await ask(port, ONE[0])).endswith(b"ok")


@pytest.mark.asyncio
async def test_silent_clients_block_nobody(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "MAX_HANDSHAKES", 5)
    async with serving(TlsContext(files)) as port, connected(port) as (oldest, _):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        assert await until_closed(oldest) == b""
        assert (await ask(port, ONE[0])).endswith(b"ok")
        for _, writer in silent:
            writer.transport.abort()


@pytest.mark.asyncio
async def test_a_server_that_stops_closes_connections_in_every_state(files: TlsFiles) -> None:
    server = BoundedServer(ok, tls=TlsContext(files))
    await server.start("127.0.0.1:0")
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(5)]
    _, complete = await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting(ONE[0]))
    beginning = [asyncio.create_task(asyncio.open_connection("127.0.0.1", server.port)) for _ in range(5)]
    await asyncio.sleep(0)
    await server.stop()
    begun = await asyncio.gather(*beginning, return_exceptions=True)
    for reader, _ in silent:
        assert await until_closed(reader) == b""
    for connection in (*silent, *(one for one in begun if isinstance(one, tuple))):
        connection[1].transport.abort()
    complete.transport.abort()  # an unclosed socket of the server would be a warning, which is an error


@pytest.mark.asyncio
async def test_a_handshake_has_a_time_limit(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.1)
    async with serving(TlsContext(files)) as port, connected(port) as (reader, _):
        assert await until_closed(reader) == b""


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sent", [REQUEST, b"\0" * 100, b"\x16\x03\x01\xff\xff" + bytes(range(64))], ids=["http", "zeros", "broken"]
)
async def test_what_is_no_handshake_is_dropped(files: TlsFiles, sent: bytes) -> None:
    async with serving(TlsContext(files)) as port:
        async with connected(port) as (reader, writer):
            writer.write(sent)
            writer.write_eof()
            assert b"HTTP" not in await until_closed(reader)
        assert (await ask(port, ONE[0])).endswith(b"ok")


@pytest.mark.asyncio
async def test_a_connection_that_was_closed_twice_can_be_aborted(files: TlsFiles) -> None:
    async with serving(TlsContext(files)) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(ONE[0]))
        for _ in range(2):
            writer.transport.close()
        abort_transport(writer.transport)  # asyncio's own `abort` raises AttributeError here
        async with asyncio.timeout(patient(10)):
            with suppress(OSError):  # the server may close first
                await writer.wait_closed()


def shake_hands(port: int, trusted: Path) -> None:
    """Connect as most clients do: one that refuses the certificate sends an alert, which asyncio's does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=patient(10)) as plain:
        trusting(trusted).wrap_socket(plain, server_hostname="localhost").close()


@pytest.mark.asyncio
async def test_a_client_that_does_not_trust_the_certificate_is_logged_and_not_for_each_try(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(TlsContext(files)) as port:
        for _ in range(3):
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(shake_hands, port, OTHER[0])
        await eventually(lambda: "TLS connection failed" in caplog.text, what="the line")
    (line,) = [line for line in caplog.messages if "TLS connection failed" in line]
    assert "UNKNOWN_CA" in line


@pytest.mark.asyncio
async def test_a_source_of_certificates_with_a_defect_is_logged(
    files: TlsFiles, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: TlsContext) -> ssl.SSLContext:
        raise KeyError("tls.crt")

    context = TlsContext(files)
    async with serving(context) as port:
        monkeypatch.setattr(TlsContext, "current", broken)
        with pytest.raises((ssl.SSLError, OSError)):
            await ask(port, ONE[0])
        await eventually(lambda: "failed with a defect" in caplog.text, what="the line")


def test_faults_of_one_kind_are_logged_once_a_minute_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = HandshakeLog(lambda: now)
    for _ in range(5):
        log.note("a TLS handshake failed", "NO_SHARED_CIPHER")
    now = 61.0
    log.note("a TLS handshake failed", "NO_SHARED_CIPHER")
    assert caplog.messages == [
        "a TLS handshake failed: NO_SHARED_CIPHER",
        "a TLS handshake failed: NO_SHARED_CIPHER (4 more since the last line)",
    ]
