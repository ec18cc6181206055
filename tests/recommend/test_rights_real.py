"""In a real API server, the documented rights suffice, and the API server accepts the patch that the command prints."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar import cli
from tests.recommend.made import STATUS, monitor, pod
from tests.support.cluster import ControlPlane

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
Captured = pytest.CaptureFixture[str]


def documented() -> list[dict[str, Any]]:
    """Return the rules of the Role in the docs."""
    (block,) = re.findall(r"(?ms)^```yaml\n(kind: Role\n.*?)^```", (ROOT / "docs/recommend.md").read_text())
    return list(yaml.safe_load(block)["rules"])


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl("apply", "--server-side", "-f", ROOT / "helm/files/modelmonitors.yaml")
    control_plane.wait_for_kinds("modelmonitors.pilotfish.dev")
    return control_plane


def filled(plane: ControlPlane) -> str:
    """Create a Deployment with one running pod and a monitor with a status; return the namespace."""
    namespace = plane.namespace()
    item = pod(0)
    template = {"metadata": {"labels": {"app": "delays"}}, "spec": item["spec"]}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "delays", "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "delays"}}, "template": template},
    }  # fmt: skip
    item["metadata"] = {"name": item["metadata"]["name"], "namespace": namespace, "labels": {"app": "delays"}}
    found = monitor(STATUS)
    found["metadata"]["namespace"] = namespace
    plane.apply(deployment, {name: item[name] for name in ("apiVersion", "kind", "metadata", "spec")}, found)
    running = json.dumps({"status": {"phase": "Running"}})
    change = ("-n", namespace, "--subresource=status", "--type=merge", "-p")
    plane.kubectl("patch", "pod", item["metadata"]["name"], *change, running)
    plane.kubectl("patch", "modelmonitor", "delays", *change, json.dumps({"status": found["status"]}))
    return namespace


async def recommended(kubeconfig: Path, namespace: str, *words: str) -> int:
    return await asyncio.to_thread(cli.main, ["recommend", "-n", namespace, "--kubeconfig", str(kubeconfig), *words])


@pytest.mark.asyncio
async def test_the_documented_rights_suffice_and_kubectl_takes_the_patch(
    plane: ControlPlane, tmp_path: Path, capsys: Captured
) -> None:
    namespace = filled(plane)
    kubeconfig = plane.account(namespace, "viewer", documented())
    assert await recommended(kubeconfig, namespace, "--output", "yaml") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    (tmp_path / "patch.yaml").write_text(captured.out)
    command = ("patch", "deployment/delays", "-n", namespace, "--patch-file", tmp_path / "patch.yaml", "-o", "json")
    patched = json.loads(plane.kubectl(*command))["spec"]["template"]["spec"]
    assert patched["containers"][0]["image"] == "m", "the rest of the template stays"
    assert patched["containers"][0]["resources"]["requests"] == {"cpu": "350m", "memory": "1229Mi"}
    assert len(patched["initContainers"]) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("missing", ["deployments", "modelmonitors", "pods"])
async def test_each_of_these_rights_is_needed(plane: ControlPlane, missing: str, capsys: Captured) -> None:
    namespace = filled(plane)
    rules = [rule for rule in documented() if missing not in rule["resources"]]
    kubeconfig = plane.account(namespace, "viewer", rules)
    assert await recommended(kubeconfig, namespace) == 2
    assert "403" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_a_cluster_without_metrics_server_is_named(plane: ControlPlane, capsys: Captured) -> None:
    namespace = filled(plane)
    words = ("--workload", "deployment/delays", "--ignore-status", "--for", "1ms")
    assert await recommended(plane.kubeconfig, namespace, *words) == 2
    assert "install metrics-server, or give --prometheus URL" in capsys.readouterr().err
