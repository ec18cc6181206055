"""A release of the chart on a real API server, and what its processes write there."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cluster import ControlPlane
from tests.support.waiting import patient

SYSTEM = "pilotfish-system"


@dataclass
class Release:
    """A release on a control plane. There is no node, so nothing waits for pods."""

    helm: Path
    plane: ControlPlane

    def __call__(self, *arguments: str | Path) -> str:
        """Run Helm and return its output; raise AssertionError with its errors if it fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"helm {' '.join(map(str, arguments))}: {done.stderr.strip()}"
        return done.stdout

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Helm in the namespace of the release."""
        return subprocess.run(
            [self.helm, "--kubeconfig", self.plane.kubeconfig, "--namespace", SYSTEM, *arguments],
            capture_output=True, text=True, check=False, timeout=patient(120),
        )  # fmt: skip

    def get(self, *what: str) -> dict[str, Any]:
        """Return an object; empty if it does not exist."""
        return dict(json.loads(self.plane.kubectl("get", *what, "-o", "json", "--ignore-not-found") or "{}"))

    def fill(self) -> None:
        """Write what the processes write: the authority, and caBundle of each webhook."""
        self.plane.kubectl("patch", "secret", "pilotfish-ca", "-n", SYSTEM, "-p", '{"stringData": {"ca.crt": "PEM"}}')
        count = len(self.get("mutatingwebhookconfiguration", "pilotfish-injector")["webhooks"])
        path = "/webhooks/{}/clientConfig/caBundle"
        patch = [{"op": "add", "path": path.format(index), "value": self.bundle} for index in range(count)]
        self.plane.kubectl(
            *("patch", "mutatingwebhookconfiguration", "pilotfish-injector", "--type=json", "-p", json.dumps(patch)),
            "--field-manager=pilotfish-injector",
        )

    @property
    def bundle(self) -> str:
        """A certificate in the form of caBundle."""
        return self.plane.kubectl(
            "config", "view", "--raw", "--flatten", "-o", "jsonpath={.clusters[0].cluster.certificate-authority-data}"
        )

    def survives(self) -> bool:
        """Return whether everything that the processes wrote is still there."""
        webhooks = self.get("mutatingwebhookconfiguration", "pilotfish-injector")["webhooks"]
        secret = self.get("secret", "pilotfish-ca", "-n", SYSTEM)
        return all(item["clientConfig"].get("caBundle") == self.bundle for item in webhooks) and "data" in secret


def foreign_kind(group: str, kind: str) -> dict[str, Any]:
    """Return a kind of another project, with any content."""
    plural, version = f"{kind.lower()}s", "v1"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
