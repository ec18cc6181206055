"""Resources on a real node: running containers are resized to their use, and nobody who sets them as well is fought."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import pytest

from tests.cluster.injected import Models
from tests.cluster.load import load
from tests.cluster.model import NAME
from tests.cluster.resized import (
    CPU,
    MEBIBYTE,
    SHARED,
    SMALL,
    WHOLE,
    Begin,
    Resized,
    actual,
    annotation,
    deployment,
    millicores,
    monitor,
    quota,
    unchanged,
)
from tests.cluster.scaled import leader
from tests.control.retraining import definition
from tests.support.node.pods import first_process, statuses
from tests.support.waiting import wait_until

pytestmark = pytest.mark.node

# The first process of a container needs 120 MiB more after a while.
GROWING = (
    WHOLE
    + """
import threading

def grow():
    time.sleep(20)
    globals()["kept"] = [bytearray(1024 * 1024) for _ in range(120)]

threading.Thread(target=grow, daemon=True).start()
"""
)
TIGHT = {"requests": {"cpu": "100m", "memory": "96Mi"}, "limits": {"cpu": "600m", "memory": "96Mi"}}
LEAST, MOST = 150, 800  # millicores of a pod of the pool


def test_running_containers_are_resized_under_load_without_a_restart(begin: Begin, models: Models) -> None:
    resized = begin(deployment(), monitor())
    before = {pod["metadata"]["name"]: pod for pod in resized.pods()}
    assert all(quota(pod) == 300 for pod in before.values())
    with load(models.cluster, models.namespace, NAME) as clients:
        resized.wait(cpu=200)
        clients.more(50)
    assert clients.result.failed == 0, clients.result
    after = resized.pods()
    assert {pod["metadata"]["name"] for pod in after} == set(before), "no pod was replaced"
    for pod in after:
        assert unchanged(before[pod["metadata"]["name"]], pod)
        request, limit = (millicores(actual(pod), side) for side in ("requests", "limits"))
        assert 200 <= request <= 600
        assert limit == 3 * request, "the ratio stays"
        assert quota(pod) == limit, "the cgroup has the limit"
        assert actual(pod)["requests"]["memory"] == SMALL["requests"]["memory"]
    template = models.get("deployment", NAME)["spec"]["template"]["spec"]["containers"][0]
    assert template["resources"] == SMALL, "the template is never touched"
    assert resized.status()["target"]["cpu"]


def test_a_new_pod_starts_with_the_recommendation(begin: Begin, models: Models) -> None:
    resized = begin(deployment(replicas=1), monitor())
    resized.wait(cpu=200)
    wait_until(lambda: not resized.status().get("withheld"), timeout=60, what=f"the status: {resized.status()}")
    old = resized.pods()[0]["metadata"]["name"]
    models.kubectl("delete", "pod", old, "--wait=false")
    models.rolled_out()
    (pod,) = resized.pods()
    assert millicores(pod["spec"]["containers"][0]["resources"], "requests") >= 200
    assert annotation(pod)
    assert pod["metadata"]["generation"] == 1, "it was never resized"


def test_a_resize_that_the_node_has_no_room_for_is_named(begin: Begin) -> None:
    resized = begin(deployment(), monitor(cpu={"min": "1200m", "max": "1200m"}))
    wait_until(lambda: resized.status().get("pending"), timeout=180, what=f"a pending resize: {resized.status()}")
    wait_until(lambda: "ResizeDeferred" in [row["reason"] for row in resized.events()], timeout=120, what="the kubelet")
    wait_until(lambda: "enough resource: cpu" in str(resized.condition()), timeout=60, what="the node's own words")
    requests = sorted(millicores(actual(pod), "requests") for pod in resized.pods())
    assert requests == [100, 1200], "one has got it, the other waits"


def test_a_resize_beyond_the_node_is_named_and_changes_nothing(begin: Begin) -> None:
    resized = begin(deployment(replicas=1), monitor(cpu={"min": "64", "max": "64"}))
    message = resized.say("NodeCapacity", "ResizeInfeasible", seconds=180)
    assert "node" in message
    assert [millicores(actual(pod), "requests") for pod in resized.pods()] == [100]


def test_a_container_that_is_killed_for_its_memory_gets_more(begin: Begin) -> None:
    memory = {"min": "64Mi", "max": "600Mi"}
    resized = begin(deployment(replicas=1, resources=TIGHT), monitor(cpu=None, memory=memory), text=GROWING)

    def enough() -> bool:
        (pod,) = resized.pods()
        return _mebibytes(actual(pod)["limits"]["memory"]) >= 96 + 100 - 1

    wait_until(enough, timeout=180, what=f"more memory: {resized.status()}")
    (pod,) = resized.pods()
    kills = statuses(pod)["model"]["restartCount"]
    assert statuses(pod)["model"]["lastState"]["terminated"]["reason"] == "OOMKilled"
    wait_until(lambda: statuses(resized.pods()[0])["model"]["ready"], timeout=60, what="the container to be ready")
    started = statuses(resized.pods()[0])["model"]["state"]["running"]["startedAt"]

    def grown() -> bool:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{resized.models.namespace}/pods"
        found = resized.models.cluster.plane.kubectl("get", "--raw", path)
        return _use(found, "model") > 140

    wait_until(grown, timeout=120, what="the use of memory to grow")
    now = statuses(resized.pods()[0])["model"]
    assert (now["restartCount"], now["state"]["running"]["startedAt"]) == (kills, started), "it is killed no more"


def test_a_rollout_under_way_holds(begin: Begin, models: Models) -> None:
    resized = begin(deployment(), monitor())
    broken = [{"op": "replace", "path": "/spec/template/spec/containers/0/command", "value": ["false"]}]
    models.kubectl("patch", f"deployment/{NAME}", "--type=json", "-p", str(broken).replace("'", '"'))
    resized.say("RolloutInProgress")
    ready = [pod for pod in resized.pods() if statuses(pod)["model"].get("ready")]
    assert [millicores(actual(pod), "requests") for pod in ready] == [100, 100]
    models.kubectl("rollout", "undo", f"deployment/{NAME}")
    resized.wait(cpu=200)


def test_a_target_of_a_vertical_autoscaler_is_left_alone(begin: Begin, models: Models) -> None:
    kind = definition("autoscaling.k8s.io", "v1", "VerticalPodAutoscaler")
    kind["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://github.com/kubernetes/autoscaler"}
    models.cluster.plane.apply(kind)
    models.cluster.plane.wait_for_kinds(kind["metadata"]["name"])
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}
    vertical = {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": NAME},
        "spec": {"targetRef": reference},
    }
    try:
        resized = begin(deployment(replicas=1), vertical, monitor())
        assert NAME in resized.say("VerticalAutoscaler")
        wait_until(lambda: resized.status().get("target"), timeout=90, what="the recommendation all the same")
        assert [millicores(actual(pod), "requests") for pod in resized.pods()] == [100]
    finally:
        models.kubectl("delete", f"crd/{kind['metadata']['name']}")
    resized.wait(cpu=200)


def test_a_leader_that_is_killed_between_two_resizes_repeats_none(begin: Begin, models: Models) -> None:
    resized = begin(deployment(), monitor(cpu=CPU | {"min": "250m", "max": "250m"}))
    killed = leader(models.cluster.plane)

    def changed() -> list[int]:
        return sorted(millicores(pod["spec"]["containers"][0]["resources"], "requests") for pod in resized.pods())

    wait_until(lambda: changed() != [100, 100], timeout=180, what="the first resize")
    os.kill(first_process(killed, "control"), signal.SIGKILL)
    resized.wait(cpu=250)
    wait_until(lambda: resized.condition().get("reason") == "WithinBounds", timeout=120, what="the new leader")
    assert [pod["metadata"]["generation"] for pod in resized.pods()] == [2, 2], "each pod was resized once"


def test_two_models_with_opposite_loads_share_a_pool(begin: Begin, models: Models) -> None:
    cpu = {"min": f"{LEAST}m", "max": f"{MOST}m"}
    even = {"requests": {"cpu": "400m", "memory": "96Mi"}, "limits": {"cpu": "400m", "memory": "192Mi"}}

    def member(name: str) -> Resized:
        model = deployment(name, 1, even)
        # the pool keeps CPU for each pod that a rollout may add
        model["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
        return begin(model, monitor(name, cpu=cpu, pool="shared"), name=name)

    first, second = map(member, ("one", "two"))

    def requests() -> list[int]:
        found = [millicores(actual(pod), "requests") for one in (first, second) for pod in one.pods()]
        assert sum(found) <= SHARED
        return found

    def most(busy: int) -> bool:
        return requests()[busy] >= 0.6 * SHARED

    for busy, resized in ((0, first), (1, second)):
        with load(models.cluster, models.namespace, resized.name) as clients:
            wait_until(partial(most, busy), timeout=240, what=f"most of the CPU for {resized.name}")
            clients.more(20)
        assert clients.result.failed == 0, clients.result
        assert requests()[1 - busy] <= 0.4 * SHARED
    assert all(statuses(pod)["model"]["restartCount"] == 0 for one in (first, second) for pod in one.pods())


def _mebibytes(text: str) -> float:
    units = {"Gi": 1024.0, "Mi": 1.0, "Ki": 1 / 1024}
    return float(text[:-2]) * units[text[-2:]] if text[-2:] in units else int(text) / MEBIBYTE


def _use(found: str, container: str) -> float:
    """Return the most memory, in MiB, that a container of this name uses by metrics.k8s.io."""
    items = json.loads(found)["items"]
    rows = [row for item in items for row in item["containers"] if row["name"] == container]
    return max((_mebibytes(row["usage"]["memory"]) for row in rows), default=0.0)
