"""Resizes that the node refuses, and restarts that follow one another."""

from __future__ import annotations

import pytest

from tests.cluster.injected import Models
from tests.cluster.load import load
from tests.cluster.model import NAME
from tests.cluster.resized import SMALL, WHOLE, Begin, actual, deployment, monitor
from tests.support.node.pods import statuses, watch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.node

EQUAL = {"cpu": "100m", "memory": "128Mi"}
MORE = {"min": "160Mi", "max": "160Mi"}
# The pod becomes ready a while after its container has started.
SLOW = "import time\ntime.sleep(8)\n" + WHOLE
RESTARTS = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]


def test_a_node_that_never_resizes_the_cpu_is_named_and_the_memory_follows(begin: Begin) -> None:
    fixed = monitor(cpu={"min": "150m", "max": "150m"}, memory=MORE)
    resized = begin(deployment(replicas=1, resources={"requests": EQUAL, "limits": EQUAL}), fixed)
    (before,) = resized.pods()
    assert before["status"]["qosClass"] == "Guaranteed"
    assert 'CPU Manager policy "static"' in resized.say("ResizeInfeasible", seconds=180)
    assert "ResizeInfeasible" in [row["reason"] for row in resized.events()]
    wanted = {"cpu": "100m", "memory": "160Mi"}
    wait_until(lambda: actual(resized.pods()[0])["limits"] == wanted, timeout=60, what=f"memory: {resized.status()}")
    samples = resized.status()["samples"]
    wait_until(lambda: resized.status()["samples"] >= samples + 3, timeout=120, what="more decisions")
    (pod,) = resized.pods()
    assert pod["metadata"]["generation"] == 4, "changed, taken back, and the memory alone"
    assert pod["status"]["qosClass"] == "Guaranteed"
    assert statuses(pod)["model"]["restartCount"] == 0
    assert actual(pod) == {"requests": wanted, "limits": wanted}


def test_containers_that_restart_for_a_resize_do_so_one_after_another(begin: Begin, models: Models) -> None:
    model = deployment(resources=SMALL, resizePolicy=RESTARTS)
    resized = begin(model, monitor(allowRestart=True), text=SLOW)
    seen = watch(models.cluster.plane, models.namespace, NAME)
    with load(models.cluster, models.namespace, NAME) as clients:
        resized.wait(cpu=200, seconds=240)
        wait_until(
            lambda: all(statuses(pod)["model"]["ready"] for pod in resized.pods()), timeout=90, what="both to be ready"
        )
        clients.more(20)
    assert [statuses(pod)["model"]["restartCount"] for pod in resized.pods()] == [1, 1]
    assert min(seen.ready()) >= 1, "a Service without an endpoint"
    print(f"of {clients.result.answered} requests, {clients.result.failed} failed while containers restarted")
