"""The rights that docs/top.md grants are those that a namespace needs, in a real API server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.top.history import Poll, SourceName
from pilotfish.sidecar.top.namespace import NamespaceSource
from tests.support.cluster import ControlPlane

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
PROXIES = ("pods/proxy", "services/proxy")


def documented() -> list[list[dict[str, Any]]]:
    """Return the rules of both Roles in the docs: of the models' namespace, and of the release's."""
    (block,) = re.findall(r"(?ms)^```yaml\n(.*?)^```", (ROOT / "docs/top.md").read_text())
    return [role["rules"] for role in yaml.safe_load_all(block)]


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl("apply", "--server-side", "-f", ROOT / "helm/files/modelmonitors.yaml")
    control_plane.wait_for_kinds("modelmonitors.pilotfish.dev")
    return control_plane


async def polled(plane: ControlPlane, *, without: tuple[str, ...] = ()) -> Poll:
    """Return what an account with the documented rights sees of a namespace with one pod, on one API server."""
    models, release = documented()
    namespace = plane.namespace()
    rules = [rule for rule in models + release if rule["resources"][0] not in without]
    kubeconfig = plane.account(namespace, "viewer", rules)
    port = {"name": "pilotfish", "containerPort": 9797}
    pod = {"containers": [{"name": "model", "image": "model", "ports": [port]}]}
    plane.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace}, "spec": pod})
    status = '{"status": {"phase": "Running", "podIP": "127.0.0.1"}}'
    plane.kubectl("patch", "pod", "a", "-n", namespace, "--subresource=status", "--type=merge", "-p", status)
    source = NamespaceSource(await Kube.connect(kubeconfig), namespace, namespace)
    try:
        found = await source.poll()
    finally:
        await source.close()
    assert (found.failed, found.monitors) == ("", {})
    assert set(found.sources) <= {SourceName(namespace, "a")}
    return found


@pytest.mark.asyncio
async def test_the_documented_rights_suffice(plane: ControlPlane) -> None:
    found = await polled(plane)
    (pod,) = found.sources.values()
    assert "403" not in pod.problem, "it is allowed; the API server connects to no loopback address"
    assert pod.problem
    assert not any("403" in problem for problem in found.problems), found.problems


@pytest.mark.asyncio
async def test_each_right_on_a_proxy_is_needed(plane: ControlPlane) -> None:
    found = await polled(plane, without=PROXIES)
    assert found.sources == {}
    assert len([problem for problem in found.problems if "403" in problem]) == len(PROXIES)
