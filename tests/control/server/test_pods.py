"""Pods sync, send their load, and exchange profiles; each for itself only."""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.callers.errors import RefusedRequestError
from pilotfish.sidecar.kube.errors import UnavailableError
from pilotfish.sidecar.sync.messages import SyncResponse, decode, encode
from tests.analyzer.made import profile as made_profile
from tests.control.server.made import (
    MONITOR,
    NAMESPACE,
    Reviews,
    SmallBackend,
    pod,
    serving,
    signals,
    sync_request,
    token,
)

pytestmark = pytest.mark.asyncio


async def test_a_pod_syncs() -> None:
    async with serving() as served:
        status, body, _ = await served.post("/v1/sync", encode(sync_request()))
        assert status == 200
        assert [one.tick for one in decode(body, SyncResponse).acknowledged] == [7]
        assert served.backend.synced == [sync_request()]


async def test_a_compressed_body_is_read() -> None:
    async with serving() as served:
        raw = gzip.compress(encode(sync_request()))
        headers = {"Content-Type": "application/msgpack", "Content-Encoding": "gzip"}
        assert (await served.post("/v1/sync", raw, headers=headers))[0] == 200


@pytest.mark.parametrize("field", ["namespace", "name", "uid"])
@pytest.mark.parametrize("path", ["/v1/sync", "/v1/signals"])
async def test_a_body_that_names_another_pod_is_refused_and_the_field_is_named(field: str, path: str) -> None:
    async with serving() as served:
        other = msgspec.structs.replace(pod(), **{field: "other"})
        message = sync_request(pod=other) if path == "/v1/sync" else signals(pod=other)
        status, body, _ = await served.post(path, encode(message))
        assert (status, f"pod.{field}" in json.loads(body)["error"]) == (403, True)
        assert not served.backend.synced
        assert not served.backend.signalled


async def test_a_token_that_is_not_bound_to_a_pod_is_refused() -> None:
    async with serving() as served:
        status, body, _ = await served.post("/v1/sync", encode(sync_request()), "labeller")
        assert (status, "not bound to a pod" in json.loads(body)["error"]) == (403, True)


async def test_a_standby_answers_503_and_says_when_to_come_back() -> None:
    async with serving(SmallBackend(leading=False, role="standby")) as served:
        status, _, headers = await served.post("/v1/sync", encode(sync_request()))
        assert (status, headers["Retry-After"]) == (503, "5")
        assert served.reviews.asked == []


async def test_the_connection_to_a_standby_ends_so_that_the_next_one_leads_to_the_leader() -> None:
    async with serving() as served:
        assert await served.sync() == 200
        served.backend.leading = False
        _, _, headers = await served.post("/v1/signals", encode(signals()))
        assert headers["Connection"] == "close"


async def test_a_pod_of_another_monitor_of_the_namespace_gets_no_labels() -> None:
    async with serving() as served:
        served.reviews.rights.add(("system:serviceaccount:etl:labels", "create feedback", NAMESPACE, MONITOR))
        await served.post("/v1/signals", encode(signals(3)), token(3))
        path = f"/v1/feedback?namespace={NAMESPACE}&monitor={MONITOR}"
        headers = {"Content-Type": "application/json"}
        status, body, _ = await served.post(path, b'{"id": "a", "label": 1}', "labeller", headers)
        assert (status, "no pod of this monitor" in json.loads(body)["error"]) == (503, True)


async def test_what_the_backend_refuses_keeps_its_status_and_remedy() -> None:
    refused = RefusedRequestError("no such monitor; create it", status=404, reason="no_monitor", retry_after=3)
    async with serving(SmallBackend(error=refused)) as served:
        status, body, headers = await served.post("/v1/sync", encode(sync_request()))
        assert (status, json.loads(body)["error"], headers["Retry-After"]) == (404, str(refused), "3")


async def test_a_failing_api_server_behind_the_backend_is_503() -> None:
    async with serving(SmallBackend(error=UnavailableError("down"))) as served:
        status, _, headers = await served.post("/v1/sync", encode(sync_request()))
        assert (status, headers["Retry-After"]) == (503, "5")


async def test_reviews_that_fail_are_shown_as_a_problem_until_one_succeeds() -> None:
    async with serving(reviews=Reviews(down=True)) as served:
        assert await served.sync() == 503
        problems = json.loads((await served.send("GET", "/readyz"))[1])["problems"]
        assert problems == ["tokens of callers cannot be reviewed: no answer"]
        served.reviews.down = False
        assert await served.sync() == 200
        assert json.loads((await served.send("GET", "/readyz"))[1])["problems"] == []


async def test_a_pod_that_sends_too_much_is_slowed_down() -> None:
    async with serving() as served:
        statuses = [await served.sync() for _ in range(80)]
        assert set(statuses) == {200, 429}
        assert await served.sync(2) == 200


async def test_fields_of_a_newer_release_are_ignored() -> None:

    async with serving() as served:
        newer = msgspec.msgpack.encode({**msgspec.to_builtins(sync_request(ticks=())), "added_later": [1]})
        assert (await served.post("/v1/sync", newer))[0] == 200


async def test_a_profile_is_offered_verified_and_fetched() -> None:
    profile = made_profile()
    raw, path = profile.to_bytes(), f"/v1/profiles/{profile.hash}"
    async with serving() as served:
        packed = {"Content-Encoding": "gzip"}
        assert (await served.send("PUT", path, gzip.compress(raw), token(), packed))[0] == 204
        status, body, headers = await served.send("GET", path, None, token(2), {"Accept-Encoding": "identity"})
        assert (status, body, headers["ETag"]) == (200, raw, f'"{profile.hash}"')
        status, body, _ = await served.send("GET", path, None, token(2), {"Accept-Encoding": "gzip"})
        assert Profile.from_bytes(gzip.decompress(body)).hash == profile.hash
        fresh = {"If-None-Match": headers["ETag"]}
        assert (await served.send("GET", path, None, token(2), fresh))[0] == 304


async def test_a_profile_with_another_hash_and_a_body_that_is_no_profile_are_refused() -> None:
    path = f"/v1/profiles/{'0' * 64}"
    async with serving() as served:
        assert (await served.send("PUT", path, made_profile().to_bytes(), token()))[0] == 400
        assert (await served.send("PUT", path, b"[[[[", token()))[0] == 400
        assert served.backend.profiles == {}


async def test_a_pod_cannot_keep_the_controller_busy_with_profiles() -> None:
    path = f"/v1/profiles/{'0' * 64}"
    async with serving() as served:
        statuses = [(await served.send("PUT", path, b"{}", token()))[0] for _ in range(8)]
        assert statuses == [400] * 5 + [429] * 3
        assert (await served.send("PUT", path, b"{}", token(2)))[0] == 400


async def test_a_profile_of_another_monitor_is_unknown() -> None:
    reviews = Reviews()
    reviews.add_pod("foreign", pod(namespace="elsewhere"))
    async with serving(SmallBackend(profiles={"a" * 64: b"{}"}), reviews) as served:
        assert (await served.send("GET", f"/v1/profiles/{'a' * 64}", None, "foreign"))[0] == 404
        assert (await served.send("GET", f"/v1/profiles/{'a' * 64}", None, "labeller"))[0] == 403


async def test_requests_are_counted_by_monitor_and_reason() -> None:
    async with serving() as served:
        await served.sync()
        await served.sync(monitor="invented")
        await served.post("/v1/sync", b"\xc1")
        _, body, _ = await served.send("GET", "/metrics")
        lines = [
            line for line in body.decode().splitlines() if line.startswith("pilotfish_control_http_requests_total")
        ]
        assert len(lines) == 3
        assert any(f'namespace="{NAMESPACE}"' in line and 'outcome="ok"' in line for line in lines)
        assert all("invented" not in line for line in lines)
        assert any('reason="unreadable"' in line for line in lines)
