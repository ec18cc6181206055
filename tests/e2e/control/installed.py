"""A cluster with Pilotfish's kind, and the controller's rights exactly as the chart renders them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilotfish.detectors.profile.profile import Profile
from tests.helm.render import objects
from tests.support.cluster import ControlPlane
from tests.support.ports import free_port
from tests.support.processes import Child, Children
from tests.support.waiting import patient, wait_until

ROOT = Path(__file__).parents[3]
SYSTEM, TEAM, CONTROL = "pilotfish-system", "flights", "pilotfish-control"  # in the chart and helm/ci
LEASE_SECONDS = 4.0


def rendered_rights() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rights that the chart renders: of the controller, and of a namespace in `actNamespaces`."""
    kinds = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"}
    found = [item for item in objects("default") if item["kind"] in kinds and item["metadata"]["name"] == CONTROL]
    act = [item for item in objects("act-namespaces") if item["metadata"].get("namespace") == TEAM]
    return found, act


def install_kind(plane: ControlPlane) -> None:
    """Install the kind ModelMonitor."""
    plane.kubectl("apply", "--server-side", "-f", ROOT / "helm/files/modelmonitors.yaml")
    plane.wait_for_kinds("modelmonitors.pilotfish.dev")


def install_rights(plane: ControlPlane, system: str, teams: list[str]) -> None:
    """Create the controller's account and rights; cluster-wide names are unique to `system`."""
    controller, act = rendered_rights()
    for items, team in ((controller, ""), *((act, team) for team in teams)):
        text = json.dumps(items).replace(SYSTEM, system).replace(f'"{TEAM}"', f'"{team}"')
        renamed: list[dict[str, Any]] = json.loads(text)
        for item in renamed:
            for named in (item["metadata"], *([item["roleRef"]] if "roleRef" in item else [])):
                if (named.get("kind") or item["kind"]).startswith("Cluster"):
                    named["name"] = f"{named['name']}-{system}"
        plane.apply(*renamed)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address, and its key."""
    cert, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pilotfish-control",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True, timeout=patient(60),
    )  # fmt: skip
    return cert, key


@dataclass
class Replica:
    """One replica of the controller, which can be killed and started again."""

    command: list[str]
    url: str
    metrics: str
    child: Child | None = None

    def start(self, spawn: Children) -> None:
        """Start the process."""
        self.child = spawn(*self.command)

    def kill(self) -> None:
        """Kill the process without notice."""
        assert self.child is not None
        self.child.process.kill()
        self.child.process.wait(patient(10))


@dataclass
class Installation:
    """Two replicas of the controller for one control plane."""

    plane: ControlPlane
    system: str
    folder: Path
    certificate: Path
    replicas: list[Replica] = field(default_factory=list)

    def holder(self) -> str:
        """Return the identity in the Lease; empty without one."""
        found = json.loads(
            self.plane.kubectl(
                "get", "lease", "pilotfish-control", "-n", self.system, "-o", "json", "--ignore-not-found"
            )
            or "{}"
        )
        return str(found.get("spec", {}).get("holderIdentity", ""))

    def leader(self) -> Replica | None:
        """Return the replica that leads; None while nobody does, also while the Lease names one that was killed."""
        holder = self.holder()
        found = (replica for replica in self.replicas if replica.child and holder in replica.child.output())
        return next(found, None) if holder else None

    def labelled(self) -> str:
        """Return the names of the pods that the Service would select."""
        return self.plane.kubectl(
            "get", "pods", "-n", self.system, "-l", "pilotfish.dev/leader=true", "-o", "name"
        ).strip()

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit lines of all replicas."""
        lines = [line for path in self.folder.glob("child-*.out") for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines]


def own_pod(system: str, index: int) -> dict[str, Any]:
    """The pod that a replica takes for its own; the process itself runs beside the cluster."""
    container = {"name": "control", "image": "example/pilotfish"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"control-{index}", "namespace": system},
        "spec": {"containers": [container]},
    }


def start_replicas(
    plane: ControlPlane, system: str, kubeconfig: Path, spawn: Children, folder: Path, *options: str
) -> Installation:
    """Start two replicas, and wait until one of them leads."""
    cert, key = certificate(folder)
    plane.apply(*(own_pod(system, index) for index in range(2)))
    installation = Installation(plane, system, spawn.folder, cert)
    for index in range(2):
        listen, metrics = free_port(), free_port()
        command = [
            str(ROOT / ".venv/bin/pilotfish"), "control", "--namespace", system, "--kubeconfig", str(kubeconfig),
            "--listen", f"127.0.0.1:{listen}", "--metrics-listen", f"127.0.0.1:{metrics}",
            "--tls-cert", str(cert), "--tls-key", str(key), "--lease-seconds", str(LEASE_SECONDS),
            "--pod-name", f"control-{index}", "--kill-switch", str(folder / "stop"), *options,
        ]  # fmt: skip
        replica = Replica(command, f"https://127.0.0.1:{listen}", f"http://127.0.0.1:{metrics}")
        installation.replicas.append(replica)
        replica.start(spawn)
    wait_until(installation.leader, timeout=60, what="a leader")
    return installation


CONTAINER = {"name": "model", "image": "example/model:7"}


def team(plane: ControlPlane, name: str, profile: Profile, folder: Path, pods: int = 2) -> list[dict[str, Any]]:
    """Fill the namespace `name` with a Deployment, ready pods, a profile and a suspended CronJob; return the pods."""
    path = folder / f"{name}.json"
    path.write_bytes(profile.to_bytes())
    plane.kubectl("create", "configmap", "delays-profile", "-n", name, f"--from-file=profile.json={path}")
    job = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}}
    plane.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "train", "namespace": name},
            "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": job},
        }
    )
    return workload(plane, name, "delays", pods)


def workload(plane: ControlPlane, name: str, app: str, pods: int = 2) -> list[dict[str, Any]]:
    """Create the Deployment `app` in the namespace `name`; return its pods, which are ready."""
    labels = {"app": app, "pilotfish.dev/injected": "true", "pilotfish.dev/model-version": "7"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    plane.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": app, "namespace": name},
            "spec": {"replicas": pods, "selector": {"matchLabels": {"app": app}}, "template": template},
        }
    )

    def listed() -> list[dict[str, Any]]:
        found = json.loads(plane.kubectl("get", "pods", "-n", name, "-l", f"app={app}", "-o", "json"))["items"]
        return found if len(found) == pods else []

    found = wait_until(listed, timeout=60, what="the pods of the Deployment")
    status = {
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        }
    }
    for pod in found:
        plane.kubectl(
            "patch",
            "pod",
            pod["metadata"]["name"],
            "-n",
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
            json.dumps(status),
        )
    return found


def monitor(namespace: str, name: str, tick: float, **spec: object) -> dict[str, Any]:
    """A ModelMonitor of the Deployment, which requests a Job."""
    return {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "mode": "act",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"},
            "profiles": [{"version": "7", "configMap": "delays-profile"}],
            "drift": {"tick": f"{tick:g}s"},
            "retrain": {"job": {"cronJob": "train"}},
            **spec,
        },
    }


def retrainings(plane: ControlPlane, namespace: str) -> list[tuple[str, str]]:
    """The Jobs of retrainings in a namespace: monitor and intent."""
    items = json.loads(plane.kubectl("get", "jobs", "-n", namespace, "-l", "pilotfish.dev/intent", "-o", "json"))[
        "items"
    ]
    return [
        (item["metadata"]["annotations"]["pilotfish.dev/monitor"], item["metadata"]["labels"]["pilotfish.dev/intent"])
        for item in items
    ]
