"""No client can block the server, fill its memory, or have its own words in an error or a log."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.callers import rates
from pilotfish.sidecar.callers.errors import RefusedRequestError
from pilotfish.sidecar.callers.rates import RateLimiter
from pilotfish.sidecar.control.manager.server import app, bodies, label_desk, limits
from pilotfish.sidecar.control.manager.server.limits import BodyBudget, InFlight
from pilotfish.sidecar.serving import connections
from pilotfish.sidecar.sync.messages import (
    MAX_REQUEST_BYTES,
    LabelResults,
    MessageError,
    Signals,
    SyncRequest,
    decode,
    encode,
)
from tests.control.server.made import MONITOR, NAMESPACE, PACKED, SmallBackend, serving, signals, sync_request, token
from tests.serving.served import connected, until_closed
from tests.support.examples import examples

HEAD = b"POST /v1/sync HTTP/1.1\r\nHost: control\r\nContent-Type: application/msgpack\r\n"
AUTHORIZED = HEAD + b"Authorization: Bearer pod-1\r\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v1/sync", "/v1/signals", "/v1/labels"])
async def test_wrong_content_types_and_bodies_are_refused(path: str) -> None:
    async with serving() as served:
        for kind in ("application/json", "", "text/html", "application/msgpackx"):
            assert (await served.post(path, b"\x80", headers={"Content-Type": kind}))[0] == 415
        for body in (b"", b"\xc1", b"\x80", b"{}", b"\xdf\xff\xff\xff\xff", b"\x91" * 200_000):
            assert (await served.post(path, body))[0] in (400, 413)


@pytest.mark.asyncio
async def test_a_compression_bomb_is_refused_before_it_is_expanded() -> None:
    packed = {**PACKED, "Content-Encoding": "gzip"}
    bomb = gzip.compress(bytes(MAX_REQUEST_BYTES + 1))
    async with serving() as served:
        assert (await served.post("/v1/sync", bomb, headers=packed))[0] == 413
        assert (await served.post("/v1/signals", gzip.compress(bytes(2000)), headers=packed))[0] == 413
        assert (await served.post("/v1/sync", bomb[:-5], headers=packed))[0] in (400, 413)
        assert (await served.post("/v1/sync", b"\x1f\x8b nonsense", headers=packed))[0] == 400
        for coding in ("br", "gzip, gzip", "zstd"):
            assert (await served.post("/v1/sync", bomb, headers={**PACKED, "Content-Encoding": coding}))[0] == 400


@pytest.mark.asyncio
async def test_signals_above_their_limit_are_refused() -> None:
    async with serving() as served:
        assert (await served.post("/v1/signals", encode(signals()) + bytes(1100)))[0] == 413


@pytest.mark.asyncio
async def test_the_body_of_an_unknown_caller_is_not_read() -> None:
    async with serving() as served, connected(served.server.port) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 8000000\r\n\r\n" + bytes(1000))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 401 " in head.splitlines()[0]
        assert b'WWW-Authenticate: Bearer realm="pilotfish"' in head


@pytest.mark.asyncio
async def test_a_head_that_never_ends_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    async with serving() as served, connected(served.server.port) as (reader, writer):
        writer.write(HEAD)
        assert await until_closed(reader) == b""
        assert await served.sync() == 200


@pytest.mark.asyncio
async def test_a_body_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.1)
    async with serving() as served, connected(served.server.port) as (reader, writer):
        writer.write(AUTHORIZED + b"Content-Length: 100\r\n\r\n" + bytes(10))
        assert b" 408 " in await reader.readline()
        assert await served.sync() == 200


@pytest.mark.asyncio
async def test_a_huge_head_is_refused() -> None:
    async with serving() as served, connected(served.server.port) as (reader, writer):
        writer.write(AUTHORIZED + b"X: " + b"x" * 20_000 + b"\r\n\r\n")
        assert b" 431 " in await reader.readline()


@pytest.mark.asyncio
async def test_a_client_that_leaves_early_or_closes_half_harms_nobody() -> None:
    raw = encode(sync_request())
    async with serving() as served:
        async with connected(served.server.port) as (_, writer):
            writer.write(AUTHORIZED + b"Content-Length: 100000\r\n\r\n" + raw)
        async with connected(served.server.port) as (reader, writer):
            writer.write(AUTHORIZED + f"Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
            writer.write_eof()
            await until_closed(reader)
        assert await served.sync(2) == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "extra", [b"Authorization: Bearer pod-1\r\n" * 2, b"Authorization: Bearer pod-1, Bearer pod-2\r\n"]
)
async def test_two_tokens_are_no_token(extra: bytes) -> None:
    async with serving() as served, connected(served.server.port) as (reader, writer):
        writer.write(HEAD + extra + b"Content-Length: 0\r\n\r\n")
        assert b" 401 " in await reader.readline()


@pytest.mark.asyncio
async def test_no_error_and_no_log_contains_a_token_or_a_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    broken = SmallBackend(error=RuntimeError("marked-secret"))
    async with serving(broken) as served:
        answers = [
            await served.post("/v1/sync", b"marked-secret", "marked-secret"),
            await served.post("/v1/sync", b"\xadmarked-secret"),
            await served.post("/v1/sync", encode(sync_request(epoch="marked-secret"))),
            await served.send("GET", "/marked-secret", None, "marked-secret"),
        ]
    assert [status for status, _, _ in answers] == [401, 400, 500, 404]
    assert all(b"marked-secret" not in body for _, body, _ in answers)
    assert "pod-1" not in caplog.text


@pytest.mark.asyncio
async def test_methods_and_paths_that_do_not_exist_are_refused() -> None:
    async with serving() as served:
        assert (await served.send("GET", "/v1/sync", None, token()))[0] == 405
        assert (await served.send("DELETE", f"/v1/profiles/{'a' * 64}", None, token()))[0] == 405
        for path in ("/", "/v1/profiles/", "/v1/profiles/..%2f..%2fetc", "/v1/profiles/" + "g" * 64, "/v1/sync/"):
            assert (await served.send("GET", path, None, token()))[0] == 404


@pytest.mark.asyncio
async def test_bodies_wait_for_memory_and_then_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_WAIT_SECONDS", 0.05)
    budget = BodyBudget(100)
    async with budget.reserve(60):
        async with budget.reserve(40):
            pass
        with pytest.raises(RefusedRequestError, match="too many large bodies"):
            async with budget.reserve(41):
                pass
    async with budget.reserve(1000):  # a body above the budget takes all of it
        pass


@pytest.mark.asyncio
async def test_a_body_waits_until_another_one_is_done() -> None:
    budget = BodyBudget(100)
    async with budget.reserve(60):
        waiting = asyncio.create_task(budget.reserve(60).__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


def test_requests_at_once_are_bounded_in_total_and_per_caller() -> None:
    subject = InFlight(3, 2)
    with subject.serving("a"), subject.serving("a"):
        with pytest.raises(RefusedRequestError) as own, subject.serving("a"):
            pass
        with subject.serving("b"), pytest.raises(RefusedRequestError) as total, subject.serving("c"):
            pass
    assert (own.value.status, total.value.status) == (429, 503)
    with subject.serving("c"):
        pass


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("ab")), max_size=60))
def test_no_caller_exceeds_its_rate_and_none_takes_from_another(steps: list[tuple[float, str]]) -> None:
    now, taken = [0.0], {"a": 0, "b": 0}
    subject = RateLimiter(rate=2.0, burst=5.0, clock=lambda: now[0])
    for pause, caller in steps:
        now[0] += pause
        allowed = subject.take(caller) == 0.0
        taken[caller] += allowed
        assert allowed or taken[caller] >= 5
        assert taken[caller] <= 5 + 2 * now[0] + 1e-6


def test_the_memory_of_the_rate_limiter_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_CALLERS", 10)
    subject = RateLimiter(1.0, 1.0, lambda: 0.0)
    for number in range(100):
        subject.take(str(number))
    assert subject.take("99") > 0
    assert subject.take("0") == 0.0


def _damaged(seed: int) -> bytes:
    chosen = random.Random(seed)
    raw = bytearray(encode(chosen.choice((sync_request(), signals()))))
    for _ in range(chosen.randint(1, 4)):
        raw[chosen.randrange(len(raw))] = chosen.randrange(256)
    return bytes(raw)


KINDS = (SyncRequest, Signals, LabelResults)


@settings(max_examples=examples(400))
@given(st.binary(max_size=200) | st.integers(0, 10**6).map(_damaged), st.sampled_from(KINDS))
def test_no_bytes_do_more_than_raise_a_message_error(raw: bytes, kind: type) -> None:
    with suppress(MessageError):
        decode(raw, kind)


PATHS = ("/v1/sync", "/v1/signals", "/v1/labels", "/v1/feedback?namespace=shop&monitor=prices", "/v1/alerts")
HEADERS = ("Content-Type", "Content-Encoding", "Idempotency-Key", "ce-id", "If-None-Match", "Accept-Encoding", "Accept")


@pytest.mark.asyncio
async def test_no_request_of_an_authenticated_caller_makes_the_server_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_desk, "COUNT_SECONDS", 0.0)
    monkeypatch.setattr(app, "REQUESTS_AT_ONCE", 1e6)
    chosen = random.Random(5)
    kinds = (*PACKED.values(), "application/json", "application/x-ndjson", "application/cloudevents+json")
    async with serving() as served:
        served.reviews.rights.add(("system:serviceaccount:shop:default", "create feedback", NAMESPACE, MONITOR))
        for _ in range(examples(600)):
            path = chosen.choice((*PATHS, f"/v1/profiles/{'a' * 64}"))
            method = chosen.choice(("POST", "POST", "PUT", "GET"))
            headers = {name: chosen.choice((*kinds, "gzip", '"x"', "*;q=z")) for name in chosen.sample(HEADERS, 2)}
            body = chosen.choice((_damaged(chosen.randrange(10**6)), chosen.randbytes(50), b'{"id": "a", "label": 1}'))
            sent = None if method == "GET" else body
            status, _, _ = await served.send(method, path, sent, "pod-1", {**PACKED, **headers})
            assert status in (200, 204, 304, 400, 403, 404, 405, 413, 415, 429, 503), (method, path, headers, body)


@pytest.mark.asyncio
async def test_health_is_open_for_leader_and_standby() -> None:
    for leading, role in ((True, "leader"), (False, "standby")):
        async with serving(SmallBackend(leading=leading, role=role)) as served:
            for path in ("/healthz", "/readyz", "/metrics"):
                assert (await served.send("GET", path))[0] == 200
            found = json.loads((await served.send("GET", "/readyz"))[1])
            assert (found["role"], found["contact_age"], found["problems"]) == (role, 0.5, [])


@pytest.mark.asyncio
async def test_the_address_for_probes_serves_metrics_and_health_only() -> None:
    async with serving() as served:
        url = f"http://127.0.0.1:{served.server.metrics_port}"
        for path, status in (("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/v1/sync", 403), ("/x", 404)):
            async with served.session.get(url + path) as response:
                assert response.status == status


@pytest.mark.asyncio
async def test_a_starting_controller_is_not_ready() -> None:
    async with serving(SmallBackend(leading=False, role="starting")) as served:
        assert (await served.send("GET", "/readyz"))[0] == 503


def test_decoding_limits_names() -> None:
    raw = msgspec.msgpack.encode({**msgspec.to_builtins(signals()), "monitor": "x" * 300})
    with pytest.raises(MessageError):
        decode(raw, Signals)
