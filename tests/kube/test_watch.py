"""Watches and mirrors, against both API servers, and against one that fails."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.errors import KubeError
from pilotfish.sidecar.kube.mirror import Store, mirror
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, PODS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.watch import (
    ADDED,
    BOOKMARK,
    CHANGES,
    DELETED,
    LISTED,
    WatchEvent,
    WatchTiming,
    parse_event,
    watch,
)
from tests.kube.conftest import Cluster
from tests.support.apiserver.faults import Call, Fault, watches
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane
from tests.support.processes import stop
from tests.support.waiting import eventually, patient

FIELDS = ["type", "object", "metadata", "name", "resourceVersion", "code", "message", "details"]
QUICK = WatchTiming(idle=0.2, first_pause=0.01, longest_pause=0.05)
PATIENT = WatchTiming(first_pause=0.01, longest_pause=0.05)


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


async def make(kube: Kube, name: str, namespace: str = "default", **labels: str) -> dict[str, Any]:
    return await create(kube, CONFIG_MAPS, config_map(name, **labels), namespace)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)


def lists(call: Call) -> bool:
    return call.method == "GET" and not call.watches


async def following(events: AsyncGenerator[WatchEvent, None]) -> AsyncGenerator[tuple[str, str], None]:
    """Yield type and name of each event that is no bookmark."""
    async with aclosing(events):
        async for event in events:
            if event.type == LISTED:
                yield LISTED, ",".join(item["metadata"]["name"] for item in event.object["items"])
            elif event.type != BOOKMARK:
                yield event.type, event.object["metadata"]["name"]


async def next_of(events: AsyncGenerator[tuple[str, str], None]) -> tuple[str, str]:
    return await asyncio.wait_for(anext(events), patient(20))


@asynccontextmanager
async def mirrored(
    kube: Kube, namespace: str = "default", *, labels: str = "", timing: WatchTiming = PATIENT
) -> AsyncIterator[tuple[Store, list[tuple[str, str]]]]:
    """Run a mirror; yield its store, and the changes that it reported."""
    store, changes = Store(), []

    def on_change(kind: str, found: dict[str, Any]) -> None:
        changes.append((kind, found["metadata"]["name"]))

    options = {"label_selector": labels, "on_change": on_change, "timing": timing}
    task = asyncio.create_task(mirror(kube, CONFIG_MAPS, store, namespace, **options))  # type: ignore[arg-type]
    try:
        await eventually(lambda: store.synced)
        yield store, changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def names(store: Store) -> set[str]:
    return {name for _, name in store.objects if name != "kube-root-ca.crt"}


@pytest.mark.asyncio
async def test_a_watch_lists_first_and_then_yields_each_change(cluster: Cluster) -> None:
    await make(cluster.kube, "a", cluster.namespace, watched="yes")
    events = following(watch(cluster.kube, CONFIG_MAPS, cluster.namespace, label_selector="watched=yes"))
    async with aclosing(events):
        assert await next_of(events) == (LISTED, "a")
        await make(cluster.kube, "b", cluster.namespace, watched="yes")
        await make(cluster.kube, "c", cluster.namespace, watched="no")
        await merge_patch(cluster.kube, CONFIG_MAPS, "a", {"data": {"key": "1"}}, cluster.namespace)
        await delete(cluster.kube, CONFIG_MAPS, "b", cluster.namespace)
        await merge_patch(
            cluster.kube, CONFIG_MAPS, "a", {"metadata": {"labels": {"watched": "no"}}}, cluster.namespace
        )
        await merge_patch(
            cluster.kube, CONFIG_MAPS, "c", {"metadata": {"labels": {"watched": "yes"}}}, cluster.namespace
        )
        found = [await next_of(events) for _ in range(5)]
    assert found == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("DELETED", "a"), ("ADDED", "c")]


@pytest.mark.asyncio
async def test_a_watch_goes_on_from_a_resource_version(cluster: Cluster) -> None:
    made = await make(cluster.kube, "a", cluster.namespace)
    await make(cluster.kube, "b", cluster.namespace)
    version = made["metadata"]["resourceVersion"]
    events = following(watch(cluster.kube, CONFIG_MAPS, cluster.namespace, resource_version=version))
    async with aclosing(events):
        while (found := await next_of(events))[1] == "kube-root-ca.crt":
            pass
        assert found == ("ADDED", "b")


@pytest.mark.asyncio
async def test_a_watch_that_the_server_ends_resumes_without_a_list(cluster: Cluster) -> None:
    timing = WatchTiming(response=1.0, first_pause=0.01)
    events = following(watch(cluster.kube, CONFIG_MAPS, cluster.namespace, label_selector="watched", timing=timing))
    async with aclosing(events):
        assert await next_of(events) == (LISTED, "")
        for name in ("a", "b"):
            following_one = asyncio.create_task(next_of(events))
            if cluster.api:
                await ended(cluster.api)
            else:
                await asyncio.sleep(2)  # the server itself ends it after one second or two
            await make(cluster.kube, name, cluster.namespace, watched="yes")
            assert await following_one == ("ADDED", name)


async def ended(api: ApiServer) -> None:
    """End the watch that is open."""
    await eventually(lambda: len(api.watches) == 1)
    for one in api.watches:
        one.close()
    await eventually(lambda: not any(one.closed for one in api.watches))


@pytest.mark.asyncio
async def test_a_resource_version_that_is_too_old_leads_to_a_list(cluster: Cluster) -> None:
    await make(cluster.kube, "a", cluster.namespace, watched="yes")
    version = "1"
    if cluster.api:
        cluster.api.storage.compact()
    options = {"label_selector": "watched", "resource_version": version, "timing": PATIENT}
    events = following(watch(cluster.kube, CONFIG_MAPS, cluster.namespace, **options))  # type: ignore[arg-type]
    async with aclosing(events):
        assert await next_of(events) in {(LISTED, "a"), ("ADDED", "a")}  # a young etcd has its whole history


@pytest.mark.asyncio
async def test_a_mirror_keeps_what_exists(cluster: Cluster) -> None:
    await make(cluster.kube, "a", cluster.namespace)
    async with mirrored(cluster.kube, cluster.namespace) as (store, changes):
        assert names(store) == {"a"}
        await make(cluster.kube, "b", cluster.namespace)
        await delete(cluster.kube, CONFIG_MAPS, "a", cluster.namespace)
        await eventually(lambda: names(store) == {"b"})
        assert store.get(cluster.namespace, "b")
        assert store.get(cluster.namespace, "a") is None
        assert [change for change in changes if change[1] != "kube-root-ca.crt"] == [
            ("ADDED", "a"),
            ("ADDED", "b"),
            ("DELETED", "a"),
        ]


@pytest.mark.asyncio
async def test_a_list_after_lost_history_reports_what_changed_meanwhile(api: ApiServer, kube: Kube) -> None:
    for name in ("gone", "kept", "changed", "replaced"):
        await make(kube, name)
    async with mirrored(kube) as (store, changes):
        changes.clear()
        silence = api.faults.add(Fault(when=watches, status=503))
        await api.stop()
        await api.start()
        for name in ("gone", "replaced"):
            await delete(kube, CONFIG_MAPS, name, "default")
        await make(kube, "replaced")
        await make(kube, "new")
        await merge_patch(kube, CONFIG_MAPS, "changed", {"data": {"key": "1"}}, "default")
        api.storage.compact()
        silence.release()
        await eventually(lambda: names(store) == {"kept", "changed", "replaced", "new"} and not store.problem)
        assert sorted(changes) == [
            ("ADDED", "new"),
            ("ADDED", "replaced"),
            ("DELETED", "gone"),
            ("DELETED", "replaced"),
            ("MODIFIED", "changed"),
        ]


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [410, 403, 404, 500, 503, 429])
async def test_a_watch_that_is_refused_goes_on_later(api: ApiServer, kube: Kube, status: int) -> None:
    problems: list[KubeError | None] = []
    fault = api.faults.add(Fault(when=watches, status=status, retry_after=0, times=3))
    found: list[tuple[str, str]] = []

    async def follow() -> None:
        async with aclosing(following(watch(kube, CONFIG_MAPS, timing=PATIENT, on_problem=problems.append))) as events:
            async for event in events:
                found.append(event)  # noqa: PERF401  # the list is read meanwhile

    task = asyncio.create_task(follow())
    await eventually(lambda: fault.hits == 3)
    await make(kube, "a")
    await eventually(lambda: ("ADDED", "a") in found or (LISTED, "a") in found)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [error.status for error in problems if error] == [status] * 3


@pytest.mark.asyncio
async def test_a_list_that_is_refused_is_repeated(api: ApiServer, kube: Kube) -> None:
    api.faults.add(Fault(when=lists, status=503, retry_after=0, times=7))
    async with mirrored(kube) as (store, _):
        assert store.problem is None


@pytest.mark.asyncio
async def test_a_silent_watch_is_opened_anew(api: ApiServer, kube: Kube) -> None:
    api.bookmark = 0.05
    async with mirrored(kube, timing=QUICK) as (store, _):
        await eventually(lambda: bool(api.watches))
        for one in api.watches:
            one.silent = True
        await make(kube, "a")
        await eventually(lambda: names(store) == {"a"})
    assert sum(map(lists, api.calls)) == 1, "the new watch resumed, and nothing was listed again"


@pytest.mark.asyncio
async def test_a_mirror_shows_the_age_of_its_last_contact_and_its_problem(api: ApiServer, kube: Kube) -> None:
    api.bookmark = 0.02
    async with mirrored(kube, timing=QUICK) as (store, _):
        await eventually(lambda: store.age() < 0.05)
        await api.stop()
        await eventually(lambda: store.age() > 0.1 and store.problem is not None)
        assert store.synced, "what was read stays; its reader checks the age"
        await api.start()
        await eventually(lambda: store.age() < 0.05 and store.problem is None)


@pytest.mark.asyncio
async def test_a_watch_resumes_at_its_last_bookmark(api: ApiServer, kube: Kube) -> None:
    api.bookmark = 0.01
    async with aclosing(watch(kube, CONFIG_MAPS, timing=PATIENT)) as events:
        await asyncio.wait_for(anext(events), patient(20))
        await create(kube, PODS, {"metadata": {"name": "of another kind"}}, "default")
        while (event := await asyncio.wait_for(anext(events), patient(20))).type != BOOKMARK:
            pass
        api.storage.compact()
        api.calls.clear()
        for one in api.watches:
            one.close()
        while not api.calls:
            event = await asyncio.wait_for(anext(events), patient(20))
    assert [call.query["resourceVersion"] for call in api.calls] == [event.object["metadata"]["resourceVersion"]]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"type": "ADDED"}',
        b'{"type": "ADDED", "object": {}}',
        b'{"type": "ADDED", "object": {"metadata": {"name": "x"}}}',
        b'{"type": "ADDED", "object": {"metadata": {"resourceVersion": 5, "name": "x"}}}',
        b'{"type": "ADDED", "object": {"metadata": {"resourceVersion": "5"}}}',
        b'{"type": "NEW", "object": {"metadata": {"resourceVersion": "5", "name": "x"}}}',
        b'{"type": "BOOKMARK", "object": {"metadata": null}}',
        b'{"type": "ERROR", "object": {"code": 410}}',
        b'{"type": "ERROR", "object": {"code": "many", "message": 5}}',
        b"[" * 100_000,
    ],
)
async def test_a_malformed_line_leads_to_a_new_request(api: ApiServer, kube: Kube, line: bytes) -> None:
    async with mirrored(kube) as (store, _):
        await eventually(lambda: bool(api.watches))
        for one in api.watches:
            one.send(line)
        await make(kube, "a")
        await eventually(lambda: names(store) == {"a"})


@pytest.mark.asyncio
async def test_a_server_that_ends_every_watch_at_once_is_not_asked_without_pause(api: ApiServer, kube: Kube) -> None:
    fault = api.faults.add(Fault(when=watches, raw=b""))
    timing = WatchTiming(first_pause=30.0)
    async with mirrored(kube, timing=timing):
        await eventually(lambda: fault.hits == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert fault.hits == 1


@pytest.mark.asyncio
async def test_a_cancelled_mirror_closes_its_watch(api: ApiServer, kube: Kube) -> None:
    async with mirrored(kube):
        await eventually(lambda: bool(api.watches))
    await eventually(lambda: not api.watches)


@pytest.mark.asyncio
async def test_a_mirror_keeps_the_part_of_an_object_that_its_reader_needs(api: ApiServer, kube: Kube) -> None:
    def trim(found: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {name: found["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}}

    await make(kube, "a", label="x")
    store = Store()
    task = asyncio.create_task(mirror(kube, CONFIG_MAPS, store, "default", trim=trim, timing=PATIENT))
    await eventually(lambda: store.synced)
    await make(kube, "b", label="x")
    await eventually(lambda: names(store) == {"a", "b"})
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [set(found["metadata"]) for found in store.objects.values()] == [
        {"name", "namespace", "uid", "resourceVersion"}
    ] * 2


@pytest.mark.asyncio
async def test_an_object_larger_than_the_buffers_arrives_whole(api: ApiServer, kube: Kube) -> None:
    async with mirrored(kube) as (store, _):
        body = {**config_map("a"), "data": {"key": "x" * 1_000_000}}
        await create(kube, CONFIG_MAPS, json.loads(json.dumps(body)), "default")
        await eventually(lambda: names(store) == {"a"})
        found = store.get("default", "a")
        assert found
        assert len(found["data"]["key"]) == 1_000_000


@pytest.mark.real
@pytest.mark.asyncio
async def test_a_mirror_survives_a_server_that_hangs_and_one_that_is_killed(control_plane: ControlPlane) -> None:
    namespace, kube = control_plane.namespace(), await Kube.connect(control_plane.kubeconfig)
    timing = WatchTiming(idle=0.5, first_pause=0.01, longest_pause=0.5)
    async with mirrored(kube, namespace, timing=timing) as (store, _):
        stop(control_plane.pid)
        await eventually(lambda: store.problem is not None)
        os.kill(control_plane.pid, signal.SIGCONT)
        await make(kube, "a", namespace)
        await eventually(lambda: names(store) == {"a"})
        await asyncio.to_thread(control_plane.start_server)
        await make(kube, "b", namespace)
        await eventually(lambda: names(store) == {"a", "b"})
    await kube.close()


@example(line=b'{"object":{},"type":[]}')
@given(line=st.binary() | JSON.map(lambda found: json.dumps(found).encode()))
def test_any_line_is_an_event_or_an_error(line: bytes) -> None:
    with suppress(KubeError):
        event = parse_event("/x", line)
        assert event.type in {*CHANGES, BOOKMARK}
        assert isinstance(event.object["metadata"]["resourceVersion"], str)


OBJECTS = st.builds(
    lambda name, uid, version: {"metadata": {"namespace": "n", "name": name, "uid": uid, "resourceVersion": version}},
    st.sampled_from("abc"),
    st.sampled_from("xy"),
    st.sampled_from("123"),
)
EVENTS = st.builds(WatchEvent, st.sampled_from([*sorted(CHANGES), BOOKMARK]), OBJECTS) | st.lists(
    OBJECTS, unique_by=lambda found: found["metadata"]["name"]
).map(lambda items: WatchEvent(LISTED, {"items": items}))


@given(events=st.lists(EVENTS))
def test_the_changes_of_a_store_lead_from_its_objects_before_to_those_after(events: list[WatchEvent]) -> None:
    store, followed = Store(), {}
    for event in events:
        for kind, found in store.apply(event):
            key = ("n", found["metadata"]["name"])
            assert (key in followed) == (kind != ADDED)
            followed[key] = found
            if kind == DELETED:
                del followed[key]
        assert followed == store.objects
