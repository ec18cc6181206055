"""`pilotfish control` against a real API server: killed leaders, two namespaces, an API server that stops."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.control.installed import (
    Installation,
    install_kind,
    install_rights,
    monitor,
    retrainings,
    start_replicas,
    team,
    workload,
)
from tests.e2e.control.syncing import SyncingFleet, reference
from tests.support.cluster import ControlPlane
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

TICK = 1.0
KILLS = int(os.environ.get("PILOTFISH_TEST_KILLS", "3"))
pytestmark = [pytest.mark.real, pytest.mark.timeout(patient(300 + 15 * KILLS))]


@pytest.fixture
def namespaces(control_plane: ControlPlane) -> list[str]:
    install_kind(control_plane)
    return [control_plane.namespace() for _ in range(3)]


@pytest.fixture
def installation(control_plane: ControlPlane, namespaces: list[str], spawn: Children, tmp_path: Path) -> Installation:
    system, *teams = namespaces
    kubeconfig = control_plane.account(system, "pilotfish-control")  # with an empty Role, which the next line replaces
    install_rights(control_plane, system, teams)
    return start_replicas(control_plane, system, kubeconfig, spawn, tmp_path)


@pytest.fixture
def fleet(installation: Installation) -> Iterator[SyncingFleet]:
    found = SyncingFleet([replica.url for replica in installation.replicas], installation.certificate)
    found.start()
    yield found
    found.stop()
    print(Counter(found.problems).most_common(5))  # shown if the test fails


def condition(plane: ControlPlane, namespace: str, name: str, kind: str) -> str:
    found = json.loads(plane.kubectl("get", "modelmonitor", name, "-n", namespace, "-o", "json"))
    items = found.get("status", {}).get("conditions", [])
    return next((f"{item['status']}/{item['reason']}" for item in items if item["type"] == kind), "")


def wait_for(plane: ControlPlane, namespace: str, kind: str, wanted: str) -> None:
    wait_until(lambda: condition(plane, namespace, "delays", kind) == wanted, timeout=90, what=f"{kind} {wanted}")


def begin_drift(fleet: SyncingFleet, name: str) -> None:
    for pod in fleet.pods:
        if pod.monitor == name:
            pod.drifts_from = int(time.time() // TICK)


def test_drift_creates_one_job_in_each_namespace_with_the_rendered_rights(
    control_plane: ControlPlane, namespaces: list[str], installation: Installation, fleet: SyncingFleet, tmp_path: Path
) -> None:
    _, *teams = namespaces
    for namespace in teams:
        fleet.add(control_plane, team(control_plane, namespace, reference(), tmp_path), "delays", TICK)
        control_plane.apply(monitor(namespace, "delays", TICK))
    for namespace in teams:
        wait_for(control_plane, namespace, "Ready", "True/Monitoring")
    begin_drift(fleet, "delays")
    for namespace in teams:
        wait_until(partial(retrainings, control_plane, namespace), timeout=90, what="a Job")
        wait_for(control_plane, namespace, "Drifted", "True/DriftDetected")
    found = [item for namespace in teams for item in retrainings(control_plane, namespace)]
    assert len(found) == 2
    assert len({intent for _, intent in found}) == 2  # one profile, and an id of its own in each namespace
    events = json.loads(control_plane.kubectl("get", "events.events.k8s.io", "-n", teams[0], "-o", "json"))["items"]
    assert any(event["reason"] == "AlarmOpened" for event in events)
    assert installation.labelled() == "pod/" + installation.holder().partition("_")[0]
    denied = [
        line for replica in installation.replicas if replica.child for line in replica.child.errors().splitlines()
    ]
    assert not [line for line in denied if "403" in line or "forbidden" in line]


def test_leaders_that_are_killed_anywhere_leave_one_job_per_cause(
    control_plane: ControlPlane, namespaces: list[str], installation: Installation, fleet: SyncingFleet,
    spawn: Children, tmp_path: Path,
) -> None:  # fmt: skip
    namespace, chance = namespaces[1], random.Random(KILLS)
    team(control_plane, namespace, reference(), tmp_path)
    wanted = set()
    for kill in range(KILLS):
        name = f"delays-{kill}"
        pods = workload(control_plane, namespace, name)  # a pod follows one monitor
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        control_plane.apply(monitor(namespace, name, TICK, targetRef=target))
        for pod in fleet.add(control_plane, pods, name, TICK):
            pod.drifts_from = int(time.time() // TICK) + 2
        wanted.add(name)
        leader = wait_until(installation.leader, timeout=60, what="a leader")
        assert leader is not None
        time.sleep(chance.uniform(0.0, 6.0))  # the point of the kill is random
        leader.kill()
        leader.start(spawn)
        for done, _ in retrainings(control_plane, namespace):
            fleet.remove(done)
    wait_until(
        lambda: {name for name, _ in retrainings(control_plane, namespace)} == wanted,
        timeout=120,
        what=f"a Job for each monitor: {fleet.problems[-3:]}",
    )
    counts = Counter(name for name, _ in retrainings(control_plane, namespace))
    assert counts == dict.fromkeys(wanted, 1)
    alarms = Counter((line["monitor"], line["episode"]) for line in installation.audit() if line["action"] == "alarm")
    assert len(alarms) == len(wanted), alarms  # each alarm again at the same tick: its id contains the tick


def test_nothing_is_decided_while_the_api_server_is_stopped(
    control_plane: ControlPlane, namespaces: list[str], installation: Installation, fleet: SyncingFleet, tmp_path: Path
) -> None:
    namespace = namespaces[1]
    fleet.add(control_plane, team(control_plane, namespace, reference(), tmp_path), "delays", TICK)
    control_plane.apply(monitor(namespace, "delays", TICK))
    wait_for(control_plane, namespace, "Ready", "True/Monitoring")
    pid = control_plane.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        begin_drift(fleet, "delays")
        wait_until(
            lambda: any("resigned" in replica.child.output() for replica in installation.replicas if replica.child),
            timeout=60,
        )
        decided = [line for line in installation.audit() if line["action"] == "intent"]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert decided == []
    wait_until(lambda: retrainings(control_plane, namespace), timeout=120, what="a Job after the API server is back")
    assert len(retrainings(control_plane, namespace)) == 1
