"""A real controller, and a pod that follows it: the dashboards show what the controller detects."""

from __future__ import annotations

import sys
import urllib.parse
from pathlib import Path

import numpy as np
import pytest

from dashboards.lint import panels
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.dashboards.files import load
from tests.dashboards import prometheus
from tests.dashboards.prometheus import Prometheus, ScrapeTarget, substituted
from tests.e2e import upstream
from tests.e2e.control.installed import install_kind, install_rights, monitor, start_replicas, team
from tests.e2e.control.syncing import AUDIENCE
from tests.e2e.control.test_whole_chain_real import Client, report
from tests.support.cluster import ControlPlane
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.programs import needs
from tests.support.waiting import wait_until

TICK = 1.0
pytestmark = [pytest.mark.real, needs("prometheus"), pytest.mark.timeout(300)]
SHOWN = [
    ("actions", "Executed"),
    ("actions", "Owners"),
    ("feature", "Features"),
    ("feature", "PSI by pod"),
    ("fleet", "All models"),
    ("fleet", "Pods not heard"),
    ("model", "Evidence against the threshold"),
    ("model", "Open findings"),
    ("own", "Age of the oldest tick"),
    ("own", "Injected pods by release"),
    ("own", "Leader"),
    ("own", "Pods heard"),
    ("own", "Requests of the pods"),
    ("own", "Requests to the controller"),
    ("own", "Reviews of callers"),
    ("own", "Time since the API server answered"),
    ("own", "Size of checkpoints"),
    ("own", "Ticks that wait"),
    ("own", "Time since the last success"),
]  # panels whose every query must have series


def queries(name: str, title: str) -> list[str]:
    """Return the queries of a panel with all variables set to All."""
    (content,) = load([name])
    found = next(item for item in panels(content.content) if item["title"] == title)
    return [substituted(target["expr"]) for target in found["targets"]]


def values(server: Prometheus, name: str, title: str, label: str) -> dict[str, float]:
    """Return the values of the first query of a panel by one label."""
    found = server.instant(queries(name, title)[0])
    return {item["metric"].get(label, ""): float(item["value"][1]) for item in found}


def port_of(url: str) -> int:
    return urllib.parse.urlsplit(url).port or 0


def test_the_dashboards_show_what_the_controller_detects(
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
    for other in installation.replicas:
        if other is not leader:  # the pod knows one address; in a cluster, a Service leads it to the leader
            other.kill()
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
    targets = [
        ScrapeTarget("control", port_of(leader.metrics), {"namespace": system, "pod": "control"}, honor=True),
        ScrapeTarget("sidecar", admin, {"namespace": namespace, "pod": name}),
    ]
    server = prometheus.start(tmp_path, spawn, targets)
    client = Client(listen)

    def stable() -> bool:
        client.send()
        return values(server, "own", "Pods heard", "monitor").get("delays", 0.0) == 1.0

    wait_until(stable, timeout=90, what="the pod in the metrics of the controller")
    client.shift = 2.0

    def executed() -> bool:
        client.send()
        return values(server, "actions", "Executed", "").get("", 0.0) >= 1

    wait_until(executed, timeout=120, what="the retraining in the metrics of the controller")
    wanted = [(page, title, query) for page, title in SHOWN for query in queries(page, title)]

    def shown() -> bool:
        client.send()
        wanted[:] = [one for one in wanted if not server.instant(one[2])]
        return not wanted

    wait_until(shown, timeout=60, what="a series of each query")  # a rate needs two scrapes
    assert values(server, "fleet", "Drift episodes", "version") == {"7": 1.0}, "of the controller, not of the pod"
    assert values(server, "own", "Leader", "pod") == {"control": 1.0}
    assert values(server, "actions", "Owners", "monitor")["delays"] >= 1
    assert values(server, "feature", "Population stability index", "namespace").keys() == {namespace}
    assert values(server, "fleet", "All models", "namespace") == {namespace: 1.0}
