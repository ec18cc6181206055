"""Queries of the administrator's Prometheus: what is sent, and what each way to fail says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from pilotfish.sidecar.control.manager.scaling_sources import SignalReading
from pilotfish.sidecar.control.manager.signals import prometheus
from pilotfish.sidecar.control.manager.signals.endpoint import PrometheusEndpoint
from pilotfish.sidecar.control.manager.signals.prometheus import PrometheusSource
from pilotfish.sidecar.control.scale.facts import ExternalFact
from pilotfish.sidecar.serving.tls import TlsFiles, load_context
from tests.control.manager.signals.made import KEY, NOW, wanted
from tests.support.tls import ONE, OTHER

pytestmark = pytest.mark.asyncio
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def body(*values: str) -> bytes:
    """Return the response with one series per value."""
    result = [{"metric": {}, "value": [NOW, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def answering(content: bytes, status: int = 200) -> Handler:
    """Return a handler with this response to each request."""

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=content, status=status, content_type="application/json")

    return handle


@asynccontextmanager
async def serving(handle: Handler, *, tls: bool = False) -> AsyncIterator[str]:
    """Serve every request by `handle`, and yield the URL."""
    server = web.Server(handle)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=load_context(TlsFiles(*ONE)) if tls else None)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def read(endpoint: PrometheusEndpoint | None, *queries: str) -> SignalReading:
    """Read one signal per query, named `q0`, `q1` and so on."""
    signals: list[dict[str, object]] = [
        {"type": "prometheus", "name": f"q{number}", "query": query, "target": 4}
        for number, query in enumerate(queries)
    ]
    return await PrometheusSource(endpoint).read(wanted(*signals))


async def problem(handle: Handler) -> str:
    """Return the problem of one signal whose query `handle` answers."""
    async with serving(handle) as url:
        found = await read(PrometheusEndpoint(url), "up")
    assert found.totals == ()
    return found.problems["q0"]


async def test_each_query_is_sent_with_the_namespace_of_the_monitor_and_its_result_is_a_total() -> None:
    seen = []

    async def handle(request: web.BaseRequest) -> web.Response:
        form = await request.post()
        seen.append((request.method, request.path_qs, form["query"], form["timeout"], form["limit"]))
        return web.Response(body=body("3" if form["query"] == "sum(a)" else "5"))

    async with serving(handle) as url:
        found = await read(PrometheusEndpoint(f"{url}/prom/"), "sum(a)", "sum(b)&namespace=other")
    path = f"/prom/api/v1/query?namespace={KEY.namespace}"
    assert sorted(seen) == [
        ("POST", path, "sum(a)", "4s", "2"),
        ("POST", path, "sum(b)&namespace=other", "4s", "2"),
    ]
    assert found.totals == (ExternalFact("q0", 3.0, NOW), ExternalFact("q1", 5.0, NOW))
    assert not found.problems


async def test_without_an_endpoint_the_signals_are_missing_and_others_are_not_asked_for() -> None:
    found = await read(None, "up")
    assert (found.totals, "--prometheus-url" in found.problems["q0"]) == ((), True)
    assert await read(None) == SignalReading()


async def test_the_token_is_sent_over_tls_to_the_trusted_server_only(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    seen = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=body("3"))

    async with serving(handle, tls=True) as url:
        found = await read(PrometheusEndpoint(url, ONE[0], token), "up")
        assert (found.totals[0].value, seen) == (3.0, ["Bearer secret-token"])
        refused = await read(PrometheusEndpoint(url, OTHER[0], token), "up")
        assert "check --prometheus-ca" in refused.problems["q0"]
        token.unlink()
        unread = await read(PrometheusEndpoint(url, ONE[0], token), "up")
    assert "cannot read the token file" in unread.problems["q0"]
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("content", "status", "text"),
    [
        (b'{"status":"error","errorType":"bad_data","error":"1:1: parse error"}', 400, "correct the query"),
        (b'{"status":"error","errorType":"execution","error":"found duplicate series"}', 422, "duplicate series"),
        (b"", 400, "not one of the query API"),
        (b"secret", 401, "check --prometheus-token"),
        (b"secret", 403, "namespace of the monitor"),
        (b"secret", 404, "check the path"),
        (b"secret", 503, "status 503; check its log"),
        (b"secret", 200, "not JSON"),
        (body(), 200, "no result"),
        (body("1", "2"), 200, "several series"),
        (b" " * (64 * 1024 + 1), 200, "more than 65536 bytes"),
    ],
)
async def test_a_response_without_one_number_is_a_problem(content: bytes, status: int, text: str) -> None:
    found = await problem(answering(content, status))
    assert text in found
    assert "secret" not in found


async def test_a_redirect_is_not_followed() -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        assert request.path == "/api/v1/query"
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    assert "status 307" in await problem(handle)


async def test_a_server_that_does_not_end_its_response_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "QUERY_SECONDS", 0.2)
    gone = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(body("3")[:20])
        await gone.wait()
        return response

    async with serving(handle) as url:
        found = await read(PrometheusEndpoint(url), "up")
        gone.set()
    assert "did not answer within 0.2 s" in found.problems["q0"]


async def test_a_server_that_is_not_there_is_a_problem() -> None:
    async with serving(answering(b"")) as url:
        pass
    found = await read(PrometheusEndpoint(url), "up")
    assert "check --prometheus-url and the network" in found.problems["q0"]
