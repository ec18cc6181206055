"""A real API server accepts what the offline commands print, and doctor reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from tests.support.cluster import ControlPlane

pytestmark = pytest.mark.real
MODEL = """\
apiVersion: v1
kind: Service
metadata: {name: loans}
spec:
  selector: {app: loans}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: loans}
spec:
  selector: {matchLabels: {app: loans}}
  template:
    metadata: {labels: {app: loans}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: model
          image: loans:1
          ports: [{name: http, containerPort: 8000}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


@pytest.fixture
def installed(control_plane: ControlPlane, capsysbinary: pytest.CaptureFixture[bytes]) -> Iterator[str]:
    """A namespace with an installation by plain YAML, applied twice, as an upgrade does."""
    namespace = control_plane.namespace()
    assert cli.main(["manifests", "--namespace", namespace]) == 0
    text = capsysbinary.readouterr().out.decode()
    for _ in range(2):
        control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    yield namespace
    control_plane.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=text)


def test_an_injected_deployment_is_accepted_in_a_restricted_namespace(
    control_plane: ControlPlane, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    namespace = control_plane.namespace()
    control_plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    file = tmp_path / "model.yaml"
    file.write_text(MODEL)
    words = ["-f", str(file), "-n", namespace, "--kubeconfig", str(control_plane.kubeconfig)]
    assert cli.main(["inject", *words]) == 0
    out = capsysbinary.readouterr().out.decode()
    control_plane.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=out)
    template = json.loads(control_plane.kubectl("get", "deployment", "loans", "-n", namespace, "-o", "json"))["spec"][
        "template"
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "one"},
        "spec": template["spec"],
    }
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod))


def test_services_of_the_cluster_decide_for_a_workload_in_a_file(
    control_plane: ControlPlane, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    namespace = control_plane.namespace()
    service, _, deployment = MODEL.partition("---\n")
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=service.replace("http", "8000"))
    file = tmp_path / "model.yaml"
    file.write_text(deployment)
    words = ["-f", str(file), "-n", namespace, "--kubeconfig", str(control_plane.kubeconfig)]
    assert cli.main(["inject", *words]) == 1
    assert b"Service loans" in capsysbinary.readouterr().err


def test_doctor_finds_an_installation_without_running_pods(
    installed: str, control_plane: ControlPlane, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ["--kubeconfig", str(control_plane.kubeconfig), "--output", "json"]
    assert cli.main(["doctor", *words]) == 1
    found = json.loads(capsysbinary.readouterr().out)
    assert found["namespace"] == installed
    levels = {(one["check"], one["level"]) for one in found["findings"]}
    assert {("versions", "ok"), ("kinds", "ok"), ("rights", "ok"), ("servers", "error"), ("leader", "error")} <= levels
    webhook = [one["what"] for one in found["findings"] if one["check"] == "webhook"]
    assert any("caBundle is empty" in what for what in webhook)
    assert any("did not answer" in what for what in webhook)
