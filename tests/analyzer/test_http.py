"""The admin address: its answers, its access control and its limits."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.analyzer.app import App, build
from pilotfish.sidecar.analyzer.http import views
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.analyzer.sync.options import SyncOptions
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.serving import connections
from tests.analyzer.made import monitor, profile
from tests.analyzer.proxied import FakeProxy
from tests.support.ports import free_port
from tests.support.waiting import eventually, patient

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m}
  profiles: [{path: profile.json}]
  drift: {tick: 10s}
  retrain: {webhook: {url: "https://trainer.example/hidden?key=hidden"}}
"""
TOKEN = "s3cret"


class Served:
    """A served analyzer, and an HTTP client for it."""

    def __init__(self, app: App, base: str, session: aiohttp.ClientSession, proxy: FakeProxy) -> None:
        self.app, self.base, self.session, self.proxy = app, base, session, proxy

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        async with self.session.get(self.base + path, headers=headers, allow_redirects=False) as response:
            return response.status, await response.text(), response.headers

    async def send(
        self, method: str, path: str, data: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        async with self.session.request(method, self.base + path, data=data, headers=headers) as response:
            return response.status, await response.text()


@asynccontextmanager
async def served(
    folder: Path,
    document: str | None = DOCUMENT,
    token: bool = False,
    used: Profile | None = None,
    control: SyncOptions | None = None,
) -> AsyncIterator[Served]:
    (folder / "profile.json").write_bytes((used or profile()).to_bytes())
    if document is not None:
        (folder / "monitor.yaml").write_text(document)
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "token").chmod(0o600)
    shared = folder / "shared"
    shared.mkdir(exist_ok=True)
    proxy = FakeProxy(shared)
    port = free_port()
    options = Options(
        shared=shared,
        admin=f"127.0.0.1:{port}",
        document=folder / "monitor.yaml" if document is not None else None,
        token_file=folder / "token" if token else None,
        control=control,
    )
    app, stop = build(options, monitor), asyncio.Event()
    serving = asyncio.create_task(app.serve(stop))
    async with aiohttp.ClientSession() as session:
        made = Served(app, f"http://127.0.0.1:{port}", session, proxy)
        await eventually(lambda: _accepts(port) or serving.done(), what="the admin address")
        if app.report.state != "idle":
            await proxy.connect()
            await eventually(lambda: app.connected, what="the connection of the proxy")
        try:
            yield made
        finally:
            stop.set()
            assert await serving == 0
            proxy.close()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.asyncio
async def test_every_address_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        for path in ("/metrics", "/healthz", "/readyz", "/report", "/state", "/config", "/windows"):
            status, _, headers = await here.get(path)
            assert status == 200, path
            assert "Server" not in headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert (await here.get("/"))[0] == 302


@pytest.mark.asyncio
async def test_the_report_is_json_for_programs_and_a_page_for_browsers(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        report = json.loads((await here.get("/report"))[1])
        assert report["state"] == "watching"
        assert report["profile"]["hash"] == profile().hash
        assert report["accounting"]["seen"] == 0
        status, text, headers = await here.get("/report", Accept="text/html,application/xhtml+xml")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "amount" in text
        assert "<script" not in text
        for accept in ("text/html;q=0, */*", "text/html;q=0.5, application/json"):
            _, _, headers = await here.get("/report", Accept=accept)
            assert headers["Content-Type"] == "application/json; charset=utf-8", accept


@pytest.mark.asyncio
async def test_the_configuration_shows_no_secret(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        text = (await here.get("/config"))[1]
        assert "hidden" not in text
        assert "https://trainer.example/…" in json.loads(text)["document"]["spec"]["retrain"]["webhook"]["url"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path",
    ["/../etc/passwd", "/%2e%2e/etc/passwd", "/report/", "/static/x", "//etc", "/episodes/../close", "/shared/page"],
)
async def test_other_paths_are_not_found(tmp_path: Path, path: str) -> None:
    async with served(tmp_path) as here:
        assert (await here.get(path))[0] == 404


@pytest.mark.asyncio
async def test_other_methods_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        assert (await here.send("DELETE", "/report"))[0] == 405
        assert (await here.send("POST", "/profile"))[0] == 405
        assert (await here.send("HEAD", "/metrics"))[0] == 200


@pytest.mark.asyncio
async def test_the_token_opens_all_but_metrics_and_health(tmp_path: Path) -> None:
    basic = "Basic " + base64.b64encode(f"any:{TOKEN}".encode()).decode()
    async with served(tmp_path, token=True) as here:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await here.get(path))[0] == 200, path
        for path in ("/", "/report", "/state", "/config", "/none"):
            assert (await here.get(path))[0] == 401, path
            assert (await here.get(path, Authorization=f"Bearer {TOKEN}"))[0] != 401, path
        for wrong in ("Bearer", "Bearer ", "Bearer s3cre", f"Bearer {TOKEN}x", TOKEN, "Basic ???", "Bearer \u00e9"):
            assert (await here.get("/report", Authorization=wrong))[0] == 401, wrong
        assert (await here.get("/report", Authorization=basic))[0] == 200
        assert (await here.send("PUT", "/profile", profile(1).to_bytes()))[0] == 401
        (tmp_path / "token").write_text("changed")
        assert (await here.get("/report", Authorization=f"Bearer {TOKEN}"))[0] == 401
        assert (await here.get("/report", Authorization="Bearer changed"))[0] == 200
        (tmp_path / "token").unlink()
        assert (await here.get("/report", Authorization="Bearer changed"))[0] == 401


@pytest.mark.asyncio
async def test_requests_of_another_sites_page_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        assert (await here.get("/report", **{"Sec-Fetch-Dest": "empty"}))[0] == 403
        assert (await here.get("/report", **{"Sec-Fetch-Dest": "iframe"}))[0] == 403
        assert (await here.get("/report", **{"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}))[0] == 200
        refused = await here.send("PUT", "/profile", profile(1).to_bytes(), {"Origin": "https://elsewhere.example"})
        assert refused[0] == 403
        assert (await here.send("POST", "/episodes/x/close", b"", {"Sec-Fetch-Site": "cross-site"}))[0] == 403


@pytest.mark.asyncio
async def test_a_profile_is_set_and_stored(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        status, text = await here.send("PUT", "/profile", gzip.compress(profile(1).to_bytes()))
        assert (status, json.loads(text)) == (200, {"profile": profile(1).hash})
        assert here.app.report.profile is not None
        assert here.app.report.profile.hash == profile(1).hash
    async with served(tmp_path) as here:
        assert here.app.report.profile is not None
        assert here.app.report.profile.hash == profile(1).hash


@pytest.mark.asyncio
async def test_the_profile_in_force_is_served_with_its_hash(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        status, text, headers = await here.get("/profile", **{"Accept-Encoding": "identity"})
        assert (status, headers["ETag"], headers.get("Content-Encoding")) == (200, f'"{profile().hash}"', None)
        assert text.encode() == profile().to_bytes()
        for accepted in ("gzip", "gzip;q=0.5, *;q=0"):
            status, text, headers = await here.get("/profile", **{"Accept-Encoding": accepted})
            assert (status, headers["ETag"], headers["Content-Encoding"]) == (200, f'W/"{profile().hash}"', "gzip")
            assert Profile.from_bytes(text.encode()).hash == profile().hash  # the client has decompressed it
        for tag in (f'"{profile().hash}"', f'"x", W/"{profile().hash}"', "*"):
            assert (await here.get("/profile", **{"If-None-Match": tag}))[:2] == (304, "")
        assert (await here.get("/profile", **{"If-None-Match": '"x"'}))[0] == 200
        assert (await here.send("HEAD", "/profile"))[0] == 200
        await here.send("PUT", "/profile", profile(1).to_bytes())
        assert json.loads((await here.get("/profile"))[1]) == json.loads(profile(1).to_bytes())
    async with served(tmp_path, token=True) as here:
        assert (await here.get("/profile"))[0] == 401
        assert (await here.get("/profile", Authorization=f"Bearer {TOKEN}"))[0] == 200


@pytest.mark.asyncio
async def test_without_a_profile_none_is_served(tmp_path: Path) -> None:
    async with served(tmp_path, document=DOCUMENT.replace("  profiles: [{path: profile.json}]\n", "")) as here:
        status, text, _ = await here.get("/profile")
        assert (status, "PUT /profile" in text) == (404, True)


@pytest.mark.asyncio
async def test_the_same_profile_built_later_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        later = replace(profile(), created="2031-05-01T00:00:00Z")
        assert (await here.send("PUT", "/profile", later.to_bytes()))[0] == 200
        assert here.app.report.decisions == ()


@pytest.mark.asyncio
async def test_a_profile_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        assert (await here.send("PUT", "/profile", b"{}"))[0] == 409
        status, text = await here.send("PUT", "/profile", profile(model="other").to_bytes())
        assert (status, "'other'" in text, "'m'" in text) == (409, True, True)
        assert (await here.send("POST", "/episodes/none/close"))[0] == 404
        assert here.app.report.profile is not None
        assert here.app.report.profile.hash == profile().hash


@pytest.mark.asyncio
async def test_a_body_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_BODY_BYTES", 100_000)
    async with served(tmp_path) as here:
        assert (await here.send("PUT", "/profile", bytes(200_000)))[0] == 413
        squeezed = gzip.compress(bytes(10_000_000))
        assert (await here.send("PUT", "/profile", squeezed, {"Content-Encoding": "gzip"}))[0] in {400, 413}
        assert (await here.get("/healthz"))[0] == 200


async def raw(here: Served, sent: bytes) -> bytes:
    host, port = here.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.asyncio
@pytest.mark.parametrize("sent", [b"\x16\x03\x01 nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /" + b"x" * 20000])
async def test_an_invalid_request_gets_an_error_without_server_name_and_input(tmp_path: Path, sent: bytes) -> None:
    async with served(tmp_path) as here:
        answer = await raw(here, sent)
        assert answer.startswith(b"HTTP/1.")
        assert answer.split(b" ")[1] in (b"400", b"431")
        assert b"erver:" not in answer
        assert list(json.loads(answer.partition(b"\r\n\r\n")[2])) == ["error"]
        assert b"nonsense" not in answer
        assert len(answer) < 1000


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.asyncio
async def test_at_the_limit_an_idle_connection_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    async with served(tmp_path) as here:
        host, port = here.base.removeprefix("http://").split(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(10)]
        assert b"200 OK" in await raw(here, HEALTH)
        assert await idle[0][0].read() == b""
        for _, writer in idle:
            writer.close()


@pytest.mark.asyncio
async def test_connections_with_a_whole_request_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    async with served(tmp_path) as here:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def slow(*_: object) -> str:
            started.set()
            await go_on.wait()
            return "taken"

        monkeypatch.setattr(here.app._actions, "set_profile", slow)
        put = b"PUT /profile HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        first = asyncio.create_task(raw(here, put))
        await started.wait()
        started.clear()
        second = asyncio.create_task(raw(here, put))
        await started.wait()
        assert await refused(here) == b""
        go_on.set()
        assert b"taken" in await first
        assert b"taken" in await second
        assert b"200 OK" in await raw(here, HEALTH)


async def refused(here: Served) -> bytes:
    try:
        return await raw(here, HEALTH)
    except ConnectionError:
        return b""


@pytest.mark.asyncio
async def test_a_body_that_does_not_match_its_content_encoding_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        status, text = await here.send("PUT", "/profile", b"{} no gzip", {"Content-Encoding": "gzip"})
        assert (status, list(json.loads(text))) == (400, ["error"])


BROKEN = {
    "a bad document": DOCUMENT.replace("tick: 10s", "tick: ten"),
    "a missing profile": DOCUMENT.replace("profile.json", "none.json"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("document", BROKEN.values(), ids=BROKEN.keys())
async def test_an_unusable_document_or_profile_leaves_it_idle_with_traffic_shown(tmp_path: Path, document: str) -> None:
    async with served(tmp_path, document) as here:
        status, text, _ = await here.get("/readyz")
        assert status == 503
        assert "drift.tick" in text or "none.json" in text
        assert (await here.get("/healthz"))[0] == 200
        metrics = (await here.get("/metrics"))[1]
        assert "pilotfish_ready 0.0" in metrics
        assert "pilotfish_exchanges_seen_total 0.0" in metrics
        assert "idle" in (await here.get("/report", Accept="text/html"))[1]
        assert not (tmp_path / "shared" / "records.sock").exists()


@pytest.mark.asyncio
async def test_without_a_document_the_state_is_unprofiled(tmp_path: Path) -> None:
    async with served(tmp_path, None) as here:
        assert json.loads((await here.get("/readyz"))[1])["state"] == "unprofiled"


@pytest.mark.parametrize("address", ["", "9797", "localhost", "a:b", "127.0.0.1:99999", ":", ":99999"])
def test_an_invalid_address_is_a_usage_error(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:9797"):
        build(Options(shared=tmp_path, admin=address))


@pytest.mark.parametrize(
    ("admin", "token", "open_to_all"),
    [
        ("127.0.0.1:0", False, False),
        ("[::1]:0", False, False),
        ("localhost:0", False, False),
        ("0.0.0.0:0", False, True),
        ("[::]:0", False, True),
        ("monitor.example:0", False, True),
        ("0.0.0.0:0", True, False),
    ],
)
def test_an_open_address_without_a_token_is_a_warning(
    tmp_path: Path, admin: str, token: bool, open_to_all: bool
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    made = build(Options(shared=tmp_path, admin=admin, token_file=tmp_path / "token" if token else None))
    assert any("--token-file" in text for text in made.report.warnings) is open_to_all


@pytest.mark.asyncio
async def test_an_address_in_use_is_a_usage_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        app = build(Options(shared=tmp_path, admin=f"127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(UsageError, match="listen") as caught:
            await app.serve(asyncio.Event())
        assert str(caught.value).count(str(taken.getsockname()[1])) == 1


@pytest.mark.asyncio
async def test_rows_need_a_token_and_a_document_that_stores_them(tmp_path: Path) -> None:
    async with served(tmp_path, document=None) as here, here.session.get(f"{here.base}/rows") as answer:
        assert answer.status == 403
        assert "--token-file" in await answer.text()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with served(tmp_path, token=True) as here, here.session.get(f"{here.base}/rows", headers=headers) as answer:
        assert answer.status == 404
        assert "keepRows" in await answer.text()
    storing = DOCUMENT.rstrip() + "\n  traffic: {keepRows: {rows: 100}}\n"
    async with (
        served(tmp_path, storing, token=True) as here,
        here.session.get(f"{here.base}/rows", headers=headers) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"by": "", "reason": "x"}',
        '{"by": "a", "reason": "r", "rows": 10}',
        '{"by": "a"}',
        '{"by": "a", "reason": "r", "by": "b"}',
    ],
)
async def test_a_rebaseline_needs_a_name_a_reason_and_enough_rows(tmp_path: Path, body: str) -> None:
    async with served(tmp_path) as here:
        async with here.session.post(f"{here.base}/rebaseline", data=body) as answer:
            assert answer.status == 400
            assert "new prices" in await answer.text()
        async with here.session.delete(f"{here.base}/rebaseline") as answer:
            assert answer.status == 409
        async with here.session.get(f"{here.base}/rebaseline") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST, DELETE")


@pytest.mark.parametrize(
    ("begin", "flood"),
    [
        (b"", b"\0" * 65536),
        pytest.param(b"", b"\r\n" * 32768, marks=pytest.mark.long),
        (b"GET /metrics HTTP/1.1\r\n", b"X-A: b\r\n" * 8192),
        (b"GET /", b"a" * 65536),
        pytest.param(b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 1900, marks=pytest.mark.long),
        (b"PUT /profile HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 8192),
        (b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", b"z" * 65536),
    ],
    ids=["no-http", "empty-lines", "endless-head", "endless-line", "pipelined", "trailers", "upgraded"],
)
@pytest.mark.asyncio
async def test_a_flood_is_cut_off_and_metrics_are_answered_during_it(
    tmp_path: Path, begin: bytes, flood: bytes
) -> None:
    async with served(tmp_path) as here:
        await here.get("/metrics")
        tracemalloc.start()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", int(here.base.rpartition(":")[2]))
            writer.write(begin)
            for _ in range(100):
                writer.write(flood)
                assert (await here.get("/metrics"))[0] == 200
                if writer.is_closing():
                    break
            peak = tracemalloc.get_traced_memory()[1] - 100 * len(flood)  # this side holds what it has not sent
            writer.transport.abort()
        finally:
            tracemalloc.stop()
        assert peak < 4 * 2**20


@pytest.mark.asyncio
async def test_one_address_cannot_take_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_PER_ADDRESS", 3)
    async with served(tmp_path) as here:
        port = int(here.base.rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        assert await asyncio.wait_for(opened[0][0].read(), patient(10)) == b""
        for _, writer in opened:
            writer.transport.abort()
