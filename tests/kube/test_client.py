"""One request: what it sends, what it repeats, how long it takes, and what its errors say."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.kube import errors
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.errors import KubeError, error_of_response
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, LEASES, NAMESPACES, PODS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import get, list_all
from tests.kube.conftest import Cluster
from tests.support.apiserver.faults import Fault, writes
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.tokens import ADMIN
from tests.support.waiting import patient

BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
STATUSES = {
    400: errors.InvalidError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    410: errors.ExpiredError,
    413: errors.InvalidError,
    418: errors.KubeError,
    422: errors.InvalidError,
    429: errors.TooManyRequestsError,
    500: errors.UnavailableError,
    503: errors.UnavailableError,
    504: errors.UnavailableError,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("status", STATUSES)
async def test_each_status_has_its_error(api: ApiServer, kube: Kube, status: int) -> None:
    api.faults.add(Fault(status=status, reason="Why", retry_after=7))
    with pytest.raises(errors.KubeError) as raised:
        await create(kube, CONFIG_MAPS, BODY, "default")
    error = raised.value
    assert type(error) is STATUSES[status]
    assert (error.status, error.reason, error.retry_after) == (status, "Why", 7.0)
    assert error.retryable == (status == 429 or status >= 500)
    assert str(error).startswith(
        f"POST /api/v1/namespaces/default/configmaps failed: {status} Why: injected by a test; "
    )


@pytest.mark.asyncio
async def test_a_get_is_repeated_when_the_server_asks_for_it(api: ApiServer, kube: Kube) -> None:
    await create(kube, CONFIG_MAPS, BODY, "default")
    fault = api.faults.add(Fault(status=429, retry_after=0, times=2))
    assert await get(kube, CONFIG_MAPS, "a", "default")
    assert fault.hits == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop="before"), Fault(drop="after")])
async def test_a_get_is_repeated_a_few_times(
    api: ApiServer, kube: Kube, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotfish.sidecar.kube.client.FIRST_PAUSE", 0.01)
    fault.retry_after = 0
    api.faults.add(fault)
    with pytest.raises(errors.UnavailableError):
        await list_all(kube, CONFIG_MAPS, "default")
    assert 3 <= fault.hits <= 6  # aiohttp itself repeats a GET once whose connection was an old one


@pytest.mark.asyncio
async def test_a_get_does_not_wait_longer_than_its_limit(api: ApiServer, kube: Kube) -> None:
    fault = api.faults.add(Fault(status=429, retry_after=60))
    with pytest.raises(errors.TooManyRequestsError) as raised:
        await get(kube, CONFIG_MAPS, "a", "default")
    assert (raised.value.retry_after, fault.hits) == (60, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [Fault(status=429, retry_after=0), Fault(status=503), Fault(drop="after")])
async def test_a_write_is_sent_once(api: ApiServer, kube: Kube, fault: Fault) -> None:
    fault.hits = 0
    api.faults.add(fault)
    with pytest.raises(errors.KubeError) as raised:
        await create(kube, CONFIG_MAPS, BODY, "default")
    assert raised.value.retryable
    assert fault.hits == 1


@pytest.mark.asyncio
async def test_a_request_that_hangs_ends_at_its_limit(api: ApiServer, kube: Kube) -> None:
    api.faults.add(Fault(hang="before"))
    with pytest.raises(errors.UnavailableError, match=r"no response within 0\.\d+ s"):
        await get(kube, CONFIG_MAPS, "a", "default", timeout=patient(0.05))


@pytest.mark.asyncio
async def test_a_server_that_is_gone_is_unavailable(api: ApiServer, kube: Kube) -> None:
    await api.stop()
    with pytest.raises(errors.UnavailableError) as raised:
        await get(kube, CONFIG_MAPS, "a", "default", timeout=patient(0.1))
    assert raised.value.status is None


@pytest.mark.asyncio
@pytest.mark.parametrize("raw", [b"<html>", b"\xff", b"[" * 100_000])
async def test_a_response_that_is_not_json_is_an_error(api: ApiServer, kube: Kube, raw: bytes) -> None:
    api.faults.add(Fault(raw=raw))
    with pytest.raises(errors.UnavailableError, match="not JSON"):
        await create(kube, CONFIG_MAPS, BODY, "default")


@pytest.mark.asyncio
async def test_the_guard_stops_writes_and_only_writes(api: ApiServer, kube: Kube) -> None:
    def guard() -> float:
        raise errors.NotLeaderError("not the leader")

    kube.guard = guard
    for write in (
        create(kube, CONFIG_MAPS, BODY, "default"),
        delete(kube, CONFIG_MAPS, "a", "default"),
        merge_patch(kube, CONFIG_MAPS, "a", {}, "default"),
    ):
        with pytest.raises(errors.NotLeaderError):
            await write
    assert not [call for call in api.calls if writes(call)]
    await list_all(kube, CONFIG_MAPS, "default")
    assert await create(kube.unguarded(), CONFIG_MAPS, BODY, "default")


@pytest.mark.asyncio
async def test_a_write_ends_before_the_time_that_the_guard_leaves(api: ApiServer, kube: Kube) -> None:
    api.faults.add(Fault(hang="before"))
    kube.guard = lambda: 0.05
    with pytest.raises(errors.UnavailableError, match=r"no response within 0\.05 s"):
        await create(kube, CONFIG_MAPS, BODY, "default")


@pytest.mark.asyncio
async def test_many_requests_share_one_connection_object(api: ApiServer, kube: Kube) -> None:
    await create(kube, CONFIG_MAPS, BODY, "default")
    found = await asyncio.gather(*(get(kube, CONFIG_MAPS, "a", "default") for _ in range(50)))
    assert len(found) == 50


@pytest.mark.asyncio
async def test_neither_token_nor_body_is_in_an_error(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    kube = await api.connect()
    shown = []
    secret = {**BODY, "data": {"password": "hunter2"}}
    for fault in (Fault(status=500), Fault(status=422), Fault(drop="before"), Fault(hang="before"), Fault(raw=b"x")):
        api.faults[:] = [fault]
        with pytest.raises(errors.KubeError) as raised:
            await create(kube, CONFIG_MAPS, secret, "default", timeout=patient(0.1))
        shown.append(repr(raised.value) + str(raised.value))
    api.tokens.clear()
    with pytest.raises(errors.UnauthorizedError) as refused:
        await create(kube, CONFIG_MAPS, secret, "default")
    await kube.close()
    text = "\n".join([*shown, str(refused.value), caplog.text])
    assert ADMIN not in text
    assert "hunter2" not in text


@pytest.mark.asyncio
async def test_rbac_decides_what_an_account_may_do(cluster: Cluster, request: pytest.FixtureRequest) -> None:
    if cluster.api:
        cluster.api.allows = lambda user, call: not writes(call)
        with pytest.raises(errors.ForbiddenError):
            await create(cluster.kube, CONFIG_MAPS, BODY, cluster.namespace)
        return
    plane = request.getfixturevalue("control_plane")
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    kube = await Kube.connect(plane.account(cluster.namespace, "reader", [rule]))
    try:
        await list_all(kube, CONFIG_MAPS, cluster.namespace)
        with pytest.raises(errors.ForbiddenError, match="cannot create resource"):
            await create(kube, CONFIG_MAPS, BODY, cluster.namespace)
        with pytest.raises(errors.ForbiddenError):
            await list_all(kube, PODS, cluster.namespace)
    finally:
        await kube.close()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (CONFIG_MAPS.path(), "/api/v1/configmaps"),
        (CONFIG_MAPS.path("ns"), "/api/v1/namespaces/ns/configmaps"),
        (LEASES.path("ns", "a"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a"),
        (PODS.path("ns", "a", "status"), "/api/v1/namespaces/ns/pods/a/status"),
        (NAMESPACES.path("", "ns"), "/api/v1/namespaces/ns"),
        (CONFIG_MAPS.path("ns", "a/../b?c#d"), "/api/v1/namespaces/ns/configmaps/a%2F..%2Fb%3Fc%23d"),
    ],
)
def test_a_resource_has_the_path_of_the_api(path: str, expected: str) -> None:
    assert path == expected


@pytest.mark.parametrize("place", [("ns", ".."), ("..", "a"), ("ns", "."), ("", "a")])
def test_a_name_never_leads_to_another_path(place: tuple[str, str]) -> None:
    with pytest.raises(errors.InvalidError):
        CONFIG_MAPS.path(*place)


FIELDS = ["code", "reason", "message", "details", "retryAfterSeconds"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=5,
)


@given(
    status=st.integers(300, 599),
    body=st.binary() | JSON.map(lambda found: json.dumps(found).encode()),
    retry_after=st.text() | st.integers().map(str),
)
def test_any_response_becomes_an_error(status: int, body: bytes, retry_after: str) -> None:
    error = error_of_response("GET /x", status, body, {"Retry-After": retry_after})
    assert isinstance(error, KubeError)
    assert len(str(error)) < 1000
    assert error.retry_after is None or 0 <= error.retry_after <= 3600


@given(found=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_status_object_becomes_an_error(found: dict[str, Any]) -> None:
    error = errors.error_of_status("watch /x", found)
    assert isinstance(error, KubeError)
    assert len(str(error)) < 1000


@pytest.mark.asyncio
async def test_failures_are_counted_by_verb_and_error(api: ApiServer, kube: Kube) -> None:
    kube.guard = lambda: None
    with pytest.raises(errors.NotFoundError):
        await get(kube, CONFIG_MAPS, "a", "default")
    api.faults.add(Fault(status=503))
    with pytest.raises(errors.UnavailableError):
        await create(kube.unguarded(), CONFIG_MAPS, BODY, "default")
    with pytest.raises(errors.UnavailableError):
        async with kube.stream(CONFIG_MAPS.path(), idle=1.0):
            pass
    assert kube.failures == {("get", "NotFound"): 1, ("create", "Unavailable"): 1, ("watch", "Unavailable"): 1}
