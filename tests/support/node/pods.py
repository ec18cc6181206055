"""Pods, seen from outside: their processes on this machine, and the readiness of a Service's endpoints over time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.cluster import ControlPlane
from tests.support.node.machine import CGROUPS
from tests.support.processes import Child


def get(plane: ControlPlane, namespace: str, *what: str) -> Any:
    """Return what `kubectl get` finds, as JSON."""
    return json.loads(plane.kubectl("get", "--namespace", namespace, *what, "--output", "json"))


def pods(plane: ControlPlane, namespace: str, app: str) -> list[dict[str, Any]]:
    """Return the pods of an app that are not being deleted, in the order of their names."""
    found: list[dict[str, Any]] = get(plane, namespace, "pods", "--selector", f"app={app}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def statuses(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the status of each container by name, sidecars included."""
    status = pod["status"]
    return {
        row["name"]: row for row in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    }


def processes(pod: dict[str, Any], container: str) -> dict[int, str]:
    """Return the processes of a container: pid on this machine, and command line."""
    identifier = statuses(pod)[container]["containerID"].rpartition("/")[2]
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):  # it has ended
                if identifier in (path / "cgroup").read_text():
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def first_process(pod: dict[str, Any], container: str) -> int:
    """Return the pid on this machine of the process that is 1 in its container."""
    return next(pid for pid in processes(pod, container) if _pid_inside(pid) == 1)


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def memory_limit(pid: int) -> tuple[Path, int]:
    """Return the file with the memory limit of a process's cgroup, and the bytes that the cgroup uses now."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            folder = CGROUPS / "memory" / path.lstrip("/")
            return folder / "memory.limit_in_bytes", int((folder / "memory.usage_in_bytes").read_text())
        if not controllers and (CGROUPS / path.lstrip("/") / "memory.max").exists():
            folder = CGROUPS / path.lstrip("/")
            return folder / "memory.max", int((folder / "memory.current").read_text())
    raise AssertionError(f"process {pid} has no cgroup of memory")


def _pid_inside(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])


@dataclass(frozen=True)
class Watch:
    """The changes of a Service's EndpointSlices, from the start of the watch."""

    child: Child

    def ready(self) -> Iterator[int]:
        """Yield how many endpoints were ready, at first and after each change."""
        slices: dict[str, int] = {}
        decoder, text, at = json.JSONDecoder(), self.child.output(), 0
        while at < len(text):
            try:
                found, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                return  # the rest is being written
            at += len(text[at:]) - len(text[at:].lstrip())
            endpoints = found.get("endpoints") or ()
            slices[found["metadata"]["name"]] = sum(bool(row["conditions"].get("ready")) for row in endpoints)
            yield sum(slices.values())


def watch(plane: ControlPlane, namespace: str, service: str) -> Watch:
    """Watch the EndpointSlices of a Service."""
    return Watch(
        plane.children(
            *(plane.programs / "kubectl", "--kubeconfig", plane.kubeconfig, "--namespace", namespace),
            *("get", "endpointslices", "--selector", f"kubernetes.io/service-name={service}"),
            *("--watch", "--output", "json"),
        )
    )
