"""Resizing with renamed containers, partial measurements, clocks that differ, and containers that do not run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pilotfish.sidecar.control.manager.resizing_sources import PodMetricsReading
from pilotfish.sidecar.log import whole_second
from tests.control.manager.resized import HOUR, MINUTE, RESOURCES, ResizedFleet, turned
from tests.control.manager.worlds import KEY

pytestmark = [pytest.mark.asyncio, pytest.mark.long]

SMALL = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}


class PartlyMeasured(ResizedFleet):
    """A fleet of which metrics.k8s.io shows `usage` in place of the use while it is set."""

    usage: dict[str, str] | None = None

    def measure(self) -> None:
        super().measure()
        if self.usage is not None and isinstance(self.small.metrics.found, dict):
            found = json.loads(json.dumps(self.small.metrics.found))
            for item in found["items"]:
                item["containers"][0]["usage"] |= self.usage
            self.small.metrics = PodMetricsReading(found, self.small.now)


async def confident(kind: type[ResizedFleet] = ResizedFleet, **fields: Any) -> ResizedFleet:
    fleet = kind(**{"given": SMALL, **fields})
    await fleet.begin()
    await fleet.elapse(11 * MINUTE)
    return fleet


def pod(fleet: ResizedFleet, name: str) -> Any:
    [item] = [one for one in fleet.small.pods.pods_in(KEY.namespace) if one["metadata"]["name"] == name]
    return json.loads(json.dumps(item))


async def test_another_container_does_not_get_the_recommendation_of_the_one_before() -> None:
    fleet = await confident()
    for name in ("p0", "p1", "p2"):
        item = pod(fleet, name)
        item["spec"]["containers"].append({"name": "other", "resources": SMALL})
        item["status"]["containerStatuses"].append({
            "name": "other", "resources": SMALL, "allocatedResources": SMALL["requests"], "state": {"running": {}},
        })  # fmt: skip
        fleet.small.pods.change("MODIFIED", item)
    before = len(fleet.applied)
    fleet.change(container="other")
    await fleet.elapse(5 * MINUTE)
    assert len(fleet.applied) == before
    assert fleet.condition == "False/UsageMissing"
    assert "target" not in fleet.shown
    fleet.restart()
    await fleet.elapse(MINUTE)
    assert "target" not in fleet.shown


async def test_another_target_does_not_get_the_recommendation_of_the_one_before() -> None:
    fleet = await confident()
    fleet.spec = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "another"}}
    fleet.change()
    await fleet.elapse(2 * MINUTE)
    assert fleet.shown["samples"] < 20
    assert fleet.condition == "False/LowConfidence"


@pytest.mark.parametrize("cpu", ["NaN", "-5"])
async def test_a_resource_that_is_not_measured_is_withheld_while_the_other_one_is_resized(cpu: str) -> None:
    fleet = await confident(PartlyMeasured, cpu=0.4)
    assert isinstance(fleet, PartlyMeasured)
    fleet.usage = {"cpu": cpu}
    await fleet.elapse(HOUR, step=30.0)
    assert fleet.shown["withheld"] == ("cpu",)
    assert fleet.condition == "False/UsageMissing"
    assert "metrics.k8s.io has no current cpu of the container in 3 pods" in fleet.shown["message"]
    fleet.usage = None
    await fleet.elapse(2 * MINUTE)
    assert "withheld" not in fleet.shown


@pytest.mark.parametrize("ahead", [MINUTE, 3 * HOUR])
async def test_a_kill_counts_when_the_clock_of_the_node_is_ahead(ahead: float) -> None:
    fleet = await confident()
    item, before = pod(fleet, "p1"), fleet.resources_of("p1")
    ended = {
        "reason": "OOMKilled",
        "finishedAt": whole_second(fleet.small.now + ahead),
        "containerID": "containerd://x",
    }
    item["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
    fleet.small.pods.change("MODIFIED", item)
    await fleet.elapse(MINUTE)
    assert fleet.resources_of("p1")["requests"]["memory"] == "1052Mi" != before["requests"]["memory"]


async def test_a_container_that_does_not_run_is_not_said_to_be_right() -> None:
    fleet = ResizedFleet(given=SMALL, pods=1)
    await fleet.begin()
    item = pod(fleet, "p0")
    item["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    fleet.small.pods.change("MODIFIED", item)
    await fleet.elapse(11 * MINUTE)
    assert fleet.applied == []
    assert fleet.condition == "False/ContainerNotRunning"
    item["status"]["containerStatuses"][0]["state"] = {"running": {}}
    fleet.small.pods.change("MODIFIED", item)
    await fleet.elapse(MINUTE)
    assert fleet.applied == ["p0"]


async def test_a_resize_has_ended_when_a_kubelet_without_allocated_resources_reports_the_amounts() -> None:
    fleet = ResizedFleet(given=SMALL)
    for name in ("p0", "p1", "p2"):
        item = pod(fleet, name)
        del item["status"]["containerStatuses"][0]["allocatedResources"]
        fleet.small.pods.change("MODIFIED", item)
    put = fleet.node.put

    def unallocated(item: Any, *more: Any) -> None:
        put(item, *more)
        changed = pod(fleet, item["metadata"]["name"])
        changed["status"]["containerStatuses"][0].pop("allocatedResources", None)
        fleet.small.pods.change("MODIFIED", changed)

    fleet.node.put = unallocated  # type: ignore[method-assign, assignment]
    await fleet.begin()
    await fleet.elapse(13 * MINUTE)
    assert fleet.applied == ["p0", "p1", "p2"]
    assert fleet.condition == "True/WithinBounds"


async def test_a_kill_does_not_let_the_cpu_follow_a_use_that_is_not_known_for_long() -> None:
    fleet = ResizedFleet(given=SMALL, resources=RESOURCES | {"minHistory": "1h"}, pods=12)
    await fleet.begin()
    fleet.kill("p1")
    await fleet.elapse(20 * MINUTE, step=15.0)
    assert set(fleet.applied) == {f"p{index}" for index in range(12)}
    assert {fleet.resources_of(name)["requests"]["cpu"] for name in fleet.applied} == {"100m"}
    assert fleet.shown["withheld"] == ("cpu",)
    assert "the use of CPU was observed for less than minHistory" in fleet.shown["message"]
    await fleet.elapse(45 * MINUTE, step=30.0)
    assert fleet.resources_of("p1")["requests"]["cpu"] == "476m"


async def test_a_use_beyond_the_maximum_is_not_said_to_be_right() -> None:
    fleet = await confident(resources=RESOURCES | {"memory": {"min": "64Mi", "max": "400Mi"}})
    assert fleet.condition == "True/WithinBounds"
    fleet.kill("p1")
    await fleet.elapse(10 * MINUTE)
    assert {fleet.resources_of(name)["requests"]["memory"] for name in ("p0", "p1", "p2")} == {"400Mi"}
    assert fleet.condition == "False/AtMaximum"
    assert "the use asks for 1051Mi of memory, and spec.resources.memory.max is 400Mi" in fleet.shown["message"]
    assert "raise the maximum" in fleet.shown["message"]


@pytest.mark.parametrize("cores", [0.4, 3.0])
async def test_a_node_that_never_resizes_the_cpu_is_not_asked_at_each_interval(cores: float) -> None:
    given = {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    bounds = {"cpu": {"min": "50m", "max": 1}} if cores < 1 else {"cpu": {"min": "3", "max": 4}}
    fleet = ResizedFleet(given=given, resources=RESOURCES | bounds | {"cooldown": "1m"}, cpu=cores, pods=1)
    fleet.node.answers["p0"] = "infeasible"
    await fleet.begin()
    await fleet.elapse(25 * MINUTE, step=10.0)
    assert fleet.applied == ["p0", "p0"], "tried once, and taken back"
    assert fleet.resources_of("p0") == given
    assert fleet.condition == "False/ResizeInfeasible"
    assert "node: infeasible" in fleet.shown["message"]


@pytest.mark.parametrize("killed", [False, True])
async def test_the_next_container_restarts_when_the_one_before_is_ready_again(killed: bool) -> None:
    fleet = ResizedFleet(given=SMALL, resources=RESOURCES | {"allowRestart": True})
    fleet.node.restarts = True
    for name in ("p0", "p1", "p2"):
        item = pod(fleet, name)
        rules = [{"resourceName": kind, "restartPolicy": "RestartContainer"} for kind in ("cpu", "memory")]
        item["spec"]["containers"][0]["resizePolicy"] = rules
        fleet.small.pods.change("MODIFIED", item)
    await fleet.begin()
    await fleet.elapse(12 * MINUTE)
    assert (fleet.applied, fleet.condition) == (["p0"], "False/PodNotReady")
    assert fleet.shown["message"].startswith("pod p0: a pod is not ready since its resize")
    if killed:
        fleet.kill("p1")
        await fleet.elapse(30)
        assert "p1" in fleet.applied, "it is down already"
        return
    fleet.small.pods.change("MODIFIED", turned(pod(fleet, "p0"), fleet.small.now, ready=True))
    await fleet.elapse(MINUTE)
    assert fleet.applied == ["p0", "p1"]
