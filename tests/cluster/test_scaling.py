"""Replicas on a real node: they follow the load, and nobody who sets them as well is fought."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import loans
from tests.cluster.injected import Models
from tests.cluster.load import load
from tests.cluster.model import EXAMPLE, NAME, install
from tests.cluster.release import Release
from tests.cluster.scaled import (
    INTERVAL,
    MOST,
    ONE_AT_A_TIME,
    SLOW,
    Manifest,
    Scaled,
    applied,
    leader,
    monitor,
    without_api_server,
)
from tests.conftest import FAILED
from tests.support.node.node import Node
from tests.support.node.pods import first_process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.node

Begin = Callable[[Manifest, Manifest], Scaled]
OUTAGE = 60  # seconds
WHOLE = (EXAMPLE / "service.py").read_text() + SLOW
BROKEN = "raise SystemExit('this version of the service does not start')\n"


@pytest.fixture(scope="module")
def models(cluster: Node, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """A namespace in which the controller may scale the Deployment NAME."""
    found = Models(cluster, cluster.plane.namespace())
    rights = "actNamespaces[0].scale[0]"
    release.install(
        f"actNamespaces[0].name={found.namespace}",
        *(f"{rights}.apiGroup=apps", f"{rights}.resource=deployments", f"{rights}.names={{{NAME}}}"),
    )
    found.opt(into=True)
    install(cluster, found.namespace, tmp_path_factory.mktemp("model"))
    write_service(found, WHOLE)
    yield found
    cluster.plane.kubectl("delete", "namespace", found.namespace, "--wait=false")


@pytest.fixture
def begin(request: pytest.FixtureRequest, models: Models) -> Iterator[Begin]:
    """Create the model with one replica, its Service and its monitor; they are deleted after the test."""

    def create(deployment: Manifest, document: Manifest) -> Scaled:
        items = (deployment, loans.service("http"), document)
        for item in items:
            item["metadata"]["namespace"] = models.namespace
        models.cluster.plane.apply(*items)
        models.rolled_out()
        scaled = Scaled(models)
        wait_until(lambda: scaled.status().get("desired") == 1, timeout=60, what="signals of the pod")
        return scaled

    yield create
    if request.node.stash.get(FAILED, False):
        for what in (("pods", "-o", "wide"), ("modelmonitors", "-o", "yaml"), ("events",)):
            print(models.kubectl("get", *what))
    kinds = ("modelmonitor", "deployment", "service", "hpa")
    models.kubectl("delete", "--ignore-not-found", *(f"{kind}/{NAME}" for kind in kinds))
    wait_until(lambda: not models.get("pods")["items"], timeout=90, what="the pods to end")


def write_service(models: Models, text: str) -> None:
    """Let pods that start from now on run this text."""
    metadata = {"name": f"{NAME}-service", "namespace": models.namespace}
    data = {"service.py": text}
    models.cluster.plane.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def deployment(**changes: object) -> Manifest:
    """Return the Deployment as a manifest says it that leaves the replicas to others; `changes` go to its pods."""
    found = loans.deployment()
    del found["spec"]["replicas"]
    found["spec"]["template"]["spec"] |= changes
    return found


def fixed() -> Manifest:
    """Return the Deployment with one replica in the manifest."""
    found = deployment()
    found["spec"]["replicas"] = 1
    return found


def test_the_replicas_follow_the_load_and_no_request_fails(begin: Begin, models: Models) -> None:
    scaled = begin(deployment(), monitor())
    changes = scaled.watch()
    with load(models.cluster, models.namespace, NAME) as clients:
        scaled.reach(MOST)
        models.rolled_out()
        clients.more(20)
    scaled.reach(1)
    assert clients.result.failed == 0, clients.result
    steps = changes.replicas()
    rise, fall = steps[: steps.index(MOST)], steps[steps.index(MOST) :]
    assert (rise, fall) == (sorted(rise), sorted(fall, reverse=True))
    wait_until(lambda: scaled.status().get("current") == 1, timeout=30, what="the status")


def test_an_autoscaler_and_a_person_set_the_replicas(begin: Begin, models: Models) -> None:
    scaled = begin(deployment(), monitor())
    models.kubectl("autoscale", f"deployment/{NAME}", "--min=1", f"--max={MOST}", "--cpu=50%")
    changes = scaled.watch()
    with load(models.cluster, models.namespace, NAME) as clients:
        scaled.say("Autoscaler")
        wait_until(lambda: scaled.status().get("desired") == MOST, timeout=60, what="the recommendation")
        assert scaled.status()["owner"] == f"HorizontalPodAutoscaler {NAME}"
        assert "surface: metric" in scaled.status()["message"]
        assert changes.replicas() == [1]
        models.kubectl("delete", f"hpa/{NAME}")
        scaled.reach(MOST)
        clients.more(20)
        wait_until(lambda: "owner" not in scaled.status(), timeout=30, what="the owner to be gone")
        models.kubectl("scale", f"deployment/{NAME}", "--replicas=2")
        begun = time.monotonic()
        scaled.say("ManualChange")
        assert "kubectl" in scaled.status()["message"]
        assert scaled.replicas() == 2
        scaled.reach(MOST)
        assert time.monotonic() - begun > 20 - INTERVAL
    assert clients.result.failed == 0, clients.result


def test_a_loop_that_applies_the_replicas_server_side_is_not_fought(begin: Begin, models: Models) -> None:
    scaled = begin(fixed(), monitor(manualHold="0s"))
    manager = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
    with scaled.applied_again_and_again(fixed(), *manager) as loop:
        scaled.say("Gitops")
        changes = scaled.watch()
        with load(models.cluster, models.namespace, NAME) as clients:
            wait_until(lambda: scaled.status().get("desired") == MOST, timeout=60, what="the recommendation")
            applied(loop, 5)
            clients.more(20)
        assert changes.replicas() == [1]


def test_a_client_that_sets_the_replicas_back_is_recognised_after_three_times(begin: Begin, models: Models) -> None:
    scaled = begin(fixed(), monitor(manualHold="0s"))
    changes = scaled.watch()
    with (
        scaled.applied_again_and_again(fixed()) as loop,
        load(models.cluster, models.namespace, NAME) as clients,
    ):
        scaled.say("Reverted")
        assert "kubectl-client-side-apply" in scaled.status()["message"]
        before = changes.replicas()
        applied(loop, 2 * INTERVAL)
        clients.more(20)
        assert changes.replicas() == before
    assert before == [1, *(MOST, 1) * 3]


def test_a_leader_that_is_killed_between_two_steps_repeats_none(begin: Begin, models: Models) -> None:
    scaled = begin(deployment(), monitor(behavior=ONE_AT_A_TIME))
    changes, killed = scaled.watch(), leader(scaled.plane)
    with load(models.cluster, models.namespace, NAME) as clients:
        scaled.reach(2)
        os.kill(first_process(killed, "control"), signal.SIGKILL)
        scaled.reach(MOST)
        clients.more(20)
        wait_until(lambda: scaled.status().get("current") == MOST, timeout=60, what="the status")
    assert changes.replicas() == [1, 2, 3]


def test_a_minute_without_api_server_decides_nothing_on_old_facts(begin: Begin, models: Models) -> None:
    scaled = begin(deployment(), monitor())
    changes = scaled.watch()
    with load(models.cluster, models.namespace, NAME) as clients, without_api_server(models.cluster):
        until = time.monotonic() + OUTAGE
        clients.more(80)
        clients.child.process.terminate()
        wait_until(lambda: time.monotonic() > until, timeout=2 * OUTAGE, what="the end of the outage")
    # the load is over; a decision on what was seen during the outage would add replicas now
    wait_until(lambda: "is at 0.00 of" in scaled.status().get("message", ""), timeout=120, what="signals without load")
    assert changes.replicas() == [1]
    models.rolled_out()  # the node may have counted as lost for a moment
    with load(models.cluster, models.namespace, NAME):
        scaled.reach(MOST)


def test_pods_that_never_become_ready_add_no_further_ones(begin: Begin, models: Models) -> None:
    scaled = begin(deployment(), monitor(maxReplicas=8, behavior=ONE_AT_A_TIME))
    changes = scaled.watch()
    write_service(models, BROKEN)
    try:
        with load(models.cluster, models.namespace, NAME) as clients:
            scaled.reach(MOST)
            clients.more(100)
            assert changes.replicas() == [1, 2, 3]
        scaled.reach(1)
        assert clients.result.failed == 0, clients.result
    finally:
        write_service(models, WHOLE)


def test_a_pod_without_a_node_stays_the_only_one(begin: Begin, models: Models) -> None:
    alone = {"labelSelector": {"matchLabels": {"app": NAME}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [alone]}}
    scaled = begin(deployment(affinity=affinity), monitor(behavior=ONE_AT_A_TIME))
    changes = scaled.watch()
    with load(models.cluster, models.namespace, NAME) as clients:
        scaled.say("Unschedulable")
        clients.more(100)
        assert "no node has room" in scaled.status()["message"]
        assert changes.replicas() == [1, 2]
    scaled.reach(1)


def test_signals_that_vanish_hold_the_replicas(begin: Begin, models: Models) -> None:
    scaled = begin(deployment(), monitor())
    with load(models.cluster, models.namespace, NAME) as clients:
        scaled.reach(MOST)
        models.rolled_out()
        scaled.say("Scaling")
        changes = scaled.watch()
        with scaled.silenced():
            scaled.say("SignalsMissing")
            clients.more(100)
            assert "desired" not in scaled.status()
        wait_until(lambda: scaled.status().get("desired") == MOST, timeout=60, what="the signals")
        assert changes.replicas() == [MOST]
    scaled.reach(1)
