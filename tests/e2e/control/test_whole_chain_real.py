"""From a request at the proxy of a pod to the Job that retrains its model: all processes and the cluster are real."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from tests.e2e import upstream
from tests.e2e.control.installed import install_kind, install_rights, monitor, retrainings, start_replicas, team
from tests.e2e.control.syncing import AUDIENCE
from tests.support.cluster import ControlPlane
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

TICK = 1.0
pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


class Client:
    """Sends requests with 60 rows each; `shift` moves their mean."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/v2/models/m/infer"
        self._random = Random(3)
        self.shift = 0.0

    def send(self) -> None:
        """Send one request."""
        data = [self._random.gauss(self.shift, 1) for _ in range(60)]
        inputs = [{"name": "a", "datatype": "FP64", "shape": [60], "data": data}]
        with urllib.request.urlopen(self._url, json.dumps({"inputs": inputs}).encode(), timeout=patient(10)) as found:
            found.read()


def report(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/report", timeout=patient(5)) as found:
            return dict(json.load(found))
    except OSError:
        return {}


def test_drifted_requests_to_a_pod_create_the_job_that_retrains_its_model(
    control_plane: ControlPlane, spawn: Children, tmp_path: Path
) -> None:
    install_kind(control_plane)
    system, namespace = control_plane.namespace(), control_plane.namespace()
    kubeconfig = control_plane.account(system, "pilotfish-control")
    install_rights(control_plane, system, [namespace])
    installation = start_replicas(control_plane, system, kubeconfig, spawn, tmp_path)
    rows = np.random.default_rng(1).normal(size=5000)
    profile = build_profile({"a": rows}, exchangeable=True, model="m", version="7")
    (pod,) = team(control_plane, namespace, profile, tmp_path, pods=1)
    control_plane.apply(monitor(namespace, "delays", TICK, model={"name": "m", "version": "7"}))

    leader = wait_until(installation.leader, timeout=60, what="a leader")
    assert leader is not None
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    token = tmp_path / "token"
    token.write_text(control_plane.token(namespace, "default", audience=AUDIENCE, pod=name))
    token.chmod(0o600)
    port_file, listen, admin = tmp_path / "upstream.port", free_port(), free_port()
    spawn(sys.executable, upstream.__file__, port_file)
    wait_until(port_file.exists, what="the model server")
    spawn.pilotfish(
        "proxy", "--shared", tmp_path / "shared", "--listen", f"127.0.0.1:{listen}",
        "--upstream", f"127.0.0.1:{port_file.read_text().strip()}",
    )  # fmt: skip
    spawn.pilotfish(
        "analyze", "--shared", tmp_path / "shared", "--state", tmp_path / "state", "--admin", f"127.0.0.1:{admin}",
        "--control", leader.url, "--control-ca", installation.certificate, "--control-token", token,
        "--monitor", "delays", "--pod-namespace", namespace, "--pod-name", name, "--pod-uid", uid,
    )  # fmt: skip
    wait_until(lambda: report(admin).get("state") == "watching", timeout=90, what="the profile from the controller")

    client = Client(listen)

    def heard() -> bool:
        client.send()
        found = json.loads(control_plane.kubectl("get", "modelmonitor", "delays", "-n", namespace, "-o", "json"))
        conditions = {item["type"]: item["reason"] for item in found.get("status", {}).get("conditions", [])}
        return conditions.get("Ready") == "Monitoring" and found["status"]["pods"]["heard"] == 1

    wait_until(heard, timeout=60, what="counts of the pod in the controller")
    client.shift = 2.0

    def requested() -> bool:
        client.send()
        return bool(retrainings(control_plane, namespace))

    wait_until(requested, timeout=90, what="the Job")
    assert [name for name, _ in retrainings(control_plane, namespace)] == ["delays"]
