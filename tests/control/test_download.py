"""A profile from an https URL: complete and as it is stored, or an error with its reason."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.download import DownloadError, decompressed, download
from pilotfish.sidecar.control.webhook.addresses import AddressRules
from tests.support.ports import free_port
from tests.support.waiting import patient

MOST = 100_000
PROFILE = b'{"model": "delays"}' * 100


class LocalRules(AddressRules):
    """Rules that allow loopback, for a server in this process."""

    def address_problem(self, address: str) -> str:
        return ""


LOCAL = LocalRules(("localhost",))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    path = folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
         "-keyout", str(path), "-out", str(folder / "cert.pem"), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + (folder / "cert.pem").read_bytes())
    return path


@dataclass(frozen=True)
class Server:
    url: str
    trusted: ssl.SSLContext


@asynccontextmanager
async def serving(certificate: Path, answer: Callable[[], web.StreamResponse]) -> AsyncIterator[Server]:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return answer()

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield Server(f"https://localhost:{port}/profile", ssl.create_default_context(cafile=str(certificate)))
    finally:
        await runner.cleanup()


def fetch(certificate: Path, answer: Callable[[], web.StreamResponse], rules: AddressRules = LOCAL) -> bytes:
    async def run() -> bytes:
        async with serving(certificate, answer) as server:
            return await download(server.url, rules, most=MOST, seconds=patient(5), trusted=server.trusted)

    return asyncio.run(run())


@pytest.mark.parametrize("body", [PROFILE, gzip.compress(PROFILE)], ids=["plain", "gzip"])
@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "identity"}])
def test_a_profile_is_downloaded_plain_or_compressed(certificate: Path, body: bytes, headers: dict[str, str]) -> None:
    assert fetch(certificate, lambda: web.Response(body=body, headers=headers)) == PROFILE


@pytest.mark.parametrize(
    ("answer", "reason", "text"),
    [
        (lambda: web.Response(status=404), "profile_not_found", "status 404"),
        (lambda: web.Response(status=302, headers={"Location": "/other"}), "profile_not_found", "not followed"),
        (lambda: web.Response(body=bytes(MOST + 1)), "profile_invalid", "more than 100000 bytes"),
        (lambda: web.Response(body=gzip.compress(bytes(MOST + 1))), "profile_invalid", "more than 100000 bytes"),
        (lambda: web.Response(body=gzip.compress(PROFILE)[:-9]), "profile_invalid", "cut off"),
        (lambda: web.Response(body=b"\x1f\x8bnonsense"), "profile_invalid", "damaged"),
    ],
)
def test_what_cannot_be_used_has_its_reason(
    certificate: Path, answer: Callable[[], web.StreamResponse], reason: str, text: str
) -> None:
    with pytest.raises(DownloadError, match=text) as caught:
        fetch(certificate, answer)
    assert caught.value.reason == reason
    assert "/profile" not in str(caught.value)


def test_neither_an_unknown_host_nor_an_internal_address_is_connected_to(certificate: Path) -> None:
    asked: list[int] = []

    def answer() -> web.StreamResponse:
        asked.append(1)
        return web.Response(body=PROFILE)

    for rules, text in ((AddressRules(("other",)), "allow-list"), (AddressRules(("localhost",)), "it is loopback")):
        with pytest.raises(DownloadError, match=text) as caught:
            fetch(certificate, answer, rules)
        assert caught.value.reason == "url_refused"
    assert asked == []


def test_only_https_with_a_valid_certificate_is_used(certificate: Path) -> None:
    async def run() -> None:
        async with serving(certificate, lambda: web.Response(body=PROFILE)) as server:
            for url, reason in ((server.url.replace("https", "http"), "url_refused"), (server.url, "tls")):
                with pytest.raises(DownloadError) as caught:
                    await download(url, LOCAL, most=MOST, seconds=patient(5), trusted=ssl.create_default_context())
                assert caught.value.reason == reason

    asyncio.run(run())


def test_a_server_that_does_not_answer_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts and sends nothing
        url = f"https://localhost:{listener.getsockname()[1]}/"
        with pytest.raises(DownloadError) as caught:
            asyncio.run(download(url, LOCAL, most=MOST, seconds=0.2))
    assert caught.value.reason == "timeout"


@given(st.binary() | st.binary().map(gzip.compress) | st.binary().map(lambda raw: b"\x1f\x8b" + raw))
def test_any_content_gives_bounded_bytes_or_an_error(content: bytes) -> None:
    with suppress(DownloadError):
        assert len(decompressed(content, 1000, "x")) <= max(1000, len(content))
