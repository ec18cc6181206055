"""The watch of resources against an API server: what it reads there, and a pod that it resizes by itself."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.control.manager.pods import trim_pod
from pilotfish.sidecar.control.manager.resizing_limits import LimitsReader, parse_version
from pilotfish.sidecar.control.manager.scale_target import ScaleTargetReader
from pilotfish.sidecar.control.manager.signals.pod_metrics import PodMetricsReader
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import (
    HORIZONTAL_AUTOSCALERS,
    LIMIT_RANGES,
    PODS,
    RESOURCE_QUOTAS,
    Resource,
)
from pilotfish.sidecar.kube.read import list_all
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.manager.lives import Life
from tests.control.manager.resized import RESOURCES, measured
from tests.control.manager.worlds import KEY, LABELS, SmallWorld, monitor_item
from tests.control.resize.sized import TARGET, Sized, resources
from tests.control.situations import NOON
from tests.support.apiserver.faults import Fault

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]
DAEMON_SETS = Resource("apps", "v1", "daemonsets")
DAEMON = TargetRef(api_version="apps/v1", kind="DaemonSet", name="delays")


async def put(sized: Sized, resource: Resource, kind: str, name: str, **body: Any) -> None:
    item = {"apiVersion": resource.api_version, "kind": kind, "metadata": {"name": name}, **body}
    await create(sized.kube, resource, item, sized.namespace)


async def test_the_limits_of_a_namespace_are_read_once_for_all_monitors(sized: Sized) -> None:
    await put(sized, LIMIT_RANGES, "LimitRange", "small", spec={"limits": [{"type": "Container", "max": {"cpu": "2"}}]})
    await put(sized, RESOURCE_QUOTAS, "ResourceQuota", "all", spec={"hard": {"requests.cpu": "8"}})
    reader = LimitsReader(sized.kube, lambda: NOON)
    found = await reader.read(sized.namespace, [sized.node, "gone", ""])
    assert [item["metadata"]["name"] for item in (*found.limit_ranges, *found.quotas)] == ["small", "all"]
    assert found.version is not None
    assert found.version >= (1, 33)
    assert found.nodes[sized.node].allocatable["cpu"] == 4
    assert found.nodes.keys() == {sized.node}
    assert found.problem is None
    await put(sized, LIMIT_RANGES, "LimitRange", "later", spec={"limits": []})
    assert await reader.read(sized.namespace, [sized.node]) == found


async def test_a_list_that_may_not_be_read_is_a_problem(sized: Sized) -> None:
    if sized.api is None:
        pytest.skip("the real API server has no faults; the one in the process has them")
    sized.api.faults.append(Fault(status=403, when=lambda call: call.path.endswith("/limitranges")))
    found = await LimitsReader(sized.kube, lambda: NOON).read(sized.namespace, ())
    assert found.problem is not None
    assert found.problem.reason is Reason.NOT_AUTHORIZED


async def test_a_target_without_replicas_can_be_resized(sized: Sized) -> None:
    labels = {"app": "delays"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "m"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    await put(sized, DAEMON_SETS, "DaemonSet", "delays", spec=spec)
    found = await ScaleTargetReader(sized.kube, lambda: NOON).read(sized.namespace, DAEMON, scaled=False)
    assert (found.kind, found.surge, found.replica_drivers) == ("DaemonSet", 0, ())
    assert found.template is not None


async def test_an_autoscaler_by_cpu_is_found_with_its_container(sized: Sized) -> None:
    await sized.deployment()
    target = {"type": "Utilization", "averageUtilization": 60}
    metrics = [
        {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "model", "target": target}},
        {"type": "Resource", "resource": {"name": "cpu", "target": target}},
    ]
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"}
    spec = {"scaleTargetRef": reference, "maxReplicas": 3, "metrics": metrics}
    await put(sized, HORIZONTAL_AUTOSCALERS, "HorizontalPodAutoscaler", "delays", spec=spec)
    found = await ScaleTargetReader(sized.kube, lambda: NOON).read(sized.namespace, TARGET, scaled=False)
    assert {(one.resource, one.container) for one in found.replica_drivers} == {("memory", "model"), ("cpu", "")}


async def test_without_metrics_server_the_remedy_is_named(sized: Sized) -> None:
    found = await PodMetricsReader(sized.kube, lambda: NOON).read(sized.namespace)
    if sized.api is None:
        assert "install metrics-server" in found.problem


async def test_a_pod_gets_what_it_uses(sized: Sized) -> None:
    await sized.pod(labels=LABELS)
    await sized.deployment()
    small = SmallWorld()
    small.node = sized.executor()
    item = monitor_item(profiles=[], resources=RESOURCES)
    del item["spec"]["retrain"]
    life = Life(small, item)
    for _ in range(60):
        small.now += 15.0
        pods, _version = await list_all(sized.kube, PODS, sized.namespace, trim=trim_pod)
        for pod in pods:
            pod["metadata"]["namespace"] = KEY.namespace
            small.pods.change("MODIFIED", pod)
        small.metrics = measured(pods, 0.4, 100 * 2**20, small.now)
        await life.turn()
    found = resources((await sized.read())["spec"])
    assert found["requests"]["cpu"] == "476m"
    assert found["limits"]["cpu"] == "952m"


@pytest.mark.parametrize(
    ("found", "version"),
    [
        ({"gitVersion": "v1.36.3"}, (1, 36)),
        ({"gitVersion": "v1.33.1-eks-af2719b"}, (1, 33)),
        ({"gitVersion": "1.36"}, None),
        ({}, None),
        ("v1.36", None),
    ],
)
async def test_versions_are_read(found: object, version: tuple[int, int] | None) -> None:
    assert parse_version(found) == version
