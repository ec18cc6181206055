"""Polls a namespace through the API server: ModelMonitors, the sidecars of its pods, and the controller.

Rights: `list` on modelmonitors and pods, `get` on `pods/proxy` for the figures, and `get` on `services/proxy` of the
controller's Service for drift. Without one of the last two, its columns are empty, and a line says which right is
missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..kube.client import Kube
from ..kube.errors import ForbiddenError, KubeError, NotFoundError
from ..kube.objects import MODEL_MONITORS, PODS, SERVICES
from ..kube.proxy import read_lines
from ..kube.read import list_all
from .exposition import ExpositionError, MonitorDrift, Value, drift_by_monitor, is_wanted, parse, sidecar_metrics
from .history import Answer, MonitorState, Poll, SourceName
from .monitors import monitor_state

PORT = "pilotfish"  # name of the admin port in a pod
CONTROLLER = "https:pilotfish-control:https"
TIMEOUT = 5.0  # seconds for the metrics of one pod
PARALLEL = 32  # pods at once
MOST_PODS = 1000
PODS_SECONDS = 10.0  # between two lists of the pods


class _Controller(NamedTuple):
    """The drift that the controller exports, or why it could not be read."""

    drift: Mapping[tuple[str, str, str], MonitorDrift] | None
    problem: str = ""
    silent: bool = False


@dataclass
class NamespaceSource:
    """The monitored models of a namespace, or of all if it is empty; `release` is the controller's namespace."""

    kube: Kube
    namespace: str
    release: str
    title: str = ""
    _pods: dict[SourceName, int] = field(default_factory=dict)
    _more: int = 0
    _listed_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.title = f"pilotfish top: {self.namespace or 'all namespaces'} of {self.kube.host}"

    async def poll(self) -> Poll:
        """Ask everything once."""
        try:
            monitors = await self._monitors()
            await self._list_pods()
        except KubeError as error:
            return Poll(time.monotonic(), failed=str(error))
        limit = asyncio.Semaphore(PARALLEL)
        names = list(self._pods)
        answers, controller = await asyncio.gather(
            asyncio.gather(*(self._ask(name, limit) for name in names)), self._controller()
        )
        allowed = {name: one for name, one in zip(names, answers, strict=True) if isinstance(one, Answer)}
        forbidden = next((one for one in answers if not isinstance(one, Answer)), "")
        problems = [controller.problem] if controller.problem else []
        if forbidden:
            problems.append(f"figures of pods cannot be read: {forbidden}")
        if self._more:
            problems.append(f"{self._more} more pods are not read; give one namespace")
        return Poll(time.monotonic(), allowed, monitors, controller.drift, controller.silent, tuple(problems))

    async def close(self) -> None:
        """Close the connections to the API server."""
        await self.kube.close()

    async def _monitors(self) -> dict[tuple[str, str], MonitorState]:
        items, _ = await list_all(self.kube, MODEL_MONITORS, self.namespace)
        return {(_name(item).namespace, _name(item).name): monitor_state(item) for item in items}

    async def _list_pods(self) -> None:
        """List the running pods that have a sidecar; the list is used for PODS_SECONDS."""
        now = time.monotonic()
        if now - self._listed_at < PODS_SECONDS:
            return
        items, _ = await list_all(self.kube, PODS, self.namespace, trim=_pod)
        found = sorted((item["name"], item["port"]) for item in items if item["port"])
        self._pods, self._more = dict(found[:MOST_PODS]), max(0, len(found) - MOST_PODS)
        self._listed_at = now

    async def _ask(self, name: SourceName, limit: asyncio.Semaphore) -> Answer | str:
        """Return what a pod answers, or why the caller may not ask it."""
        async with limit:
            try:
                values = await self._read(PODS, name.namespace, f"{name.name}:{self._pods[name]}")
            except ForbiddenError as error:
                return str(error)
            except (KubeError, ExpositionError) as error:
                return Answer(None, str(error))
        return Answer(sidecar_metrics(values))

    async def _controller(self) -> _Controller:
        try:
            return _Controller(drift_by_monitor(await self._read(SERVICES, self.release, CONTROLLER)))
        except (ForbiddenError, NotFoundError) as error:
            return _Controller(None, f"drift cannot be read, and states may be old: {error}")
        except (KubeError, ExpositionError) as error:
            return _Controller(None, f"the controller does not answer: {error}", silent=True)

    async def _read(self, kind: Any, namespace: str, target: str) -> Sequence[Value]:
        lines = await read_lines(self.kube, kind, namespace, target, "metrics", keep=is_wanted, timeout=TIMEOUT)
        return parse(b"\n".join(lines).decode(errors="replace"))


def _name(item: Mapping[str, Any]) -> SourceName:
    metadata = item.get("metadata") or {}
    return SourceName(str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def _pod(item: dict[str, Any]) -> dict[str, Any]:
    """Return the name and the admin port of a running pod; port 0 without a sidecar."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    ports = [port for container in containers for port in container.get("ports") or () if port.get("name") == PORT]
    running = status.get("phase") == "Running" and not (item.get("metadata") or {}).get("deletionTimestamp")
    return {"name": _name(item), "port": int(ports[0].get("containerPort", 0)) if ports and running else 0}
