"""Events, against both API servers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.events import BURST, MAX_QUEUE, MAX_SERIES, REFILL, WARNING, EventRecorder
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, EVENTS
from pilotfish.sidecar.kube.read import list_all
from tests.kube.conftest import Cluster
from tests.support.apiserver.faults import Fault, writes
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


class Clock:
    """The monotonic time of a recorder."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def regarding(cluster: Cluster) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "subject"}}
    return await create(cluster.kube, CONFIG_MAPS, body, cluster.namespace)


def pod(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}}


def wrote(api: ApiServer, number: int) -> bool:
    return sum(map(writes, api.calls)) == number


async def events_of(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    return (await list_all(kube, EVENTS, namespace))[0]


async def test_an_event_names_the_object_reason_and_action(cluster: Cluster) -> None:
    subject = await regarding(cluster)
    recorder = EventRecorder(cluster.kube, "pod-1")
    recorder.record(subject, "DriftDetected", "Observe", "The mean of age rose." + "é" * 2000, WARNING)
    await recorder.flush()
    [found] = await events_of(cluster.kube, cluster.namespace)
    assert found["regarding"]["uid"] == subject["metadata"]["uid"]
    assert (found["reason"], found["action"], found["type"]) == ("DriftDetected", "Observe", "Warning")
    assert found["note"].startswith("The mean of age rose.")
    assert len(found["note"].encode()) <= 1024
    assert found["reportingInstance"] == "pod-1"
    assert recorder.dropped == 0


async def test_repetitions_become_one_series(cluster: Cluster) -> None:
    subject, clock = await regarding(cluster), Clock()
    recorder = EventRecorder(cluster.kube, "pod-1", clock=clock)
    for _ in range(5):
        recorder.record(subject, "QuorumMissing", "Hold", "3 of 10 pods were heard")
        await recorder.flush(everything=False)
    [found] = await events_of(cluster.kube, cluster.namespace)
    assert found["series"]["count"] == 2, "the second one is written at once, later ones once a minute"
    clock.now += 60
    await recorder.flush(everything=False)
    [found] = await events_of(cluster.kube, cluster.namespace)
    assert found["series"]["count"] == 5


async def test_another_note_and_a_long_silence_make_another_event(cluster: Cluster) -> None:
    subject, clock = await regarding(cluster), Clock()
    recorder = EventRecorder(cluster.kube, "pod-1", clock=clock)
    recorder.record(subject, "QuorumMissing", "Hold", "3 of 10 pods were heard")
    recorder.record(subject, "QuorumMissing", "Hold", "4 of 10 pods were heard")
    await recorder.flush()
    clock.now += 361
    recorder.record(subject, "QuorumMissing", "Hold", "3 of 10 pods were heard")
    await recorder.flush()
    assert len(await events_of(cluster.kube, cluster.namespace)) == 3


async def test_a_series_whose_event_expired_begins_anew(cluster: Cluster) -> None:
    subject = await regarding(cluster)
    recorder = EventRecorder(cluster.kube, "pod-1")
    recorder.record(subject, "Paused", "Hold", "paused")
    await recorder.flush()
    [found] = await events_of(cluster.kube, cluster.namespace)
    await delete(cluster.kube, EVENTS, found["metadata"]["name"], cluster.namespace)
    recorder.record(subject, "Paused", "Hold", "paused")
    await recorder.flush()
    [found] = await events_of(cluster.kube, cluster.namespace)
    assert found["series"]["count"] == 2


async def test_recording_waits_for_nothing_and_its_memory_is_bounded(api: ApiServer, kube: Kube) -> None:
    api.faults.add(Fault(when=writes, status=500))
    recorder = EventRecorder(kube, "pod-1")
    for number in range(MAX_SERIES + 10):
        recorder.record(pod(f"x{number}"), "Reason", "Action", "note")
    assert recorder.dropped == MAX_SERIES + 10 - MAX_QUEUE
    await recorder.flush()
    assert recorder.dropped == MAX_SERIES + 10
    assert not await events_of(kube, "default")


async def test_one_object_gets_a_bounded_number_of_events(api: ApiServer, kube: Kube) -> None:
    clock = Clock()
    recorder = EventRecorder(kube, "pod-1", clock=clock)
    for number in range(BURST + 5):
        recorder.record(pod("x"), "Reason", "Action", f"note {number}")
    recorder.record(pod("y"), "Reason", "Action", "note")
    await recorder.flush()
    assert (len(await events_of(kube, "default")), recorder.dropped) == (BURST + 1, 5)
    clock.now += REFILL
    recorder.record(pod("x"), "Reason", "Action", "one more")
    await recorder.flush()
    assert len(await events_of(kube, "default")) == BURST + 2


async def test_a_running_recorder_writes_what_is_recorded(api: ApiServer, kube: Kube) -> None:
    recorder = EventRecorder(kube, "pod-1")
    task = asyncio.create_task(recorder.run())
    for number in range(3):
        recorder.record(pod("x"), "Reason", "Action", f"note {number}")
        await eventually(partial(wrote, api, number + 1))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(await events_of(kube, "default")) == 3


async def test_two_calls_that_write_at_the_same_time_write_each_event_once(api: ApiServer, kube: Kube) -> None:
    recorder = EventRecorder(kube, "pod-1")
    for number in range(5):
        recorder.record(pod(f"x{number}"), "Reason", "Action", "note")
    await asyncio.gather(recorder.flush(), recorder.flush())
    assert (len(await events_of(kube, "default")), recorder.dropped) == (5, 0)
