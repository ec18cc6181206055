"""The life of a release on a node, with a model under load: upgrade, rollback, uninstall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster import loans
from tests.cluster.injected import Models, injection
from tests.cluster.load import load
from tests.cluster.model import NAME
from tests.cluster.release import SYSTEM, Release
from tests.support.node.node import Node

pytestmark = pytest.mark.node


def memory_limit(pod: dict[str, Any]) -> str:
    """Return the argument that limits the memory of the analyzer."""
    (analyzer,) = (row for row in pod["spec"]["initContainers"] if row["name"] == "pilotfish-analyzer")
    return next(str(argument) for argument in analyzer["args"] if argument.startswith("--memory-limit="))


def what_the_user_wrote(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod without its name, and what Kubernetes adds to each pod: a hash, a node, defaults."""
    metadata = pod["metadata"]
    labels = {key: value for key, value in metadata["labels"].items() if key != "pod-template-hash"}
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if "restartedAt" not in key}
    return {"labels": labels, "annotations": annotations, "spec": pod["spec"] | {"nodeName": ""}}


def test_a_release_is_upgraded_rolled_back_and_uninstalled(
    cluster: Node, release: Release, namespace: str, tmp_path: Path
) -> None:
    release.install()  # the revision to go back to, without namespaces of other tests
    models = Models(cluster, namespace)
    models.deploy(tmp_path, loans.deployment(), 8000)
    before = what_the_user_wrote(models.pods()[0])
    models.opt(into=True)
    with load(cluster, namespace, NAME) as clients:
        models.roll()
        old = models.pods()
        release.install("sidecar.analyzer.memory=300Mi")
        assert models.pods() == old  # running pods keep their sidecars
        models.roll()
        assert {memory_limit(pod) for pod in models.pods()} == {"--memory-limit=300Mi"}
        release.roll_back()
        models.roll()
        assert [memory_limit(pod) for pod in models.pods()] == [memory_limit(pod) for pod in old]
        last = models.pods()
        try:
            release("uninstall", "pilotfish", "--wait")
            clients.more()
            assert [injection(pod) for pod in models.pods()] == [injection(pod) for pod in last]
            models.roll()
        finally:
            kept = cluster.plane.kubectl("get", "crd,secret", "--namespace", SYSTEM, "--output", "name")
            release.install()
    assert "modelmonitors.pilotfish.dev" in kept
    assert "secret/pilotfish-ca" in kept
    assert what_the_user_wrote(models.pods()[0]) == before
    assert clients.result.failed == 0, clients.result
