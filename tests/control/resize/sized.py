"""Pods with requests and limits, on the API server of this process and on a real one without nodes."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pilotfish.sidecar.control.intent import Intent, level
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.executor import ResizeExecutor
from pilotfish.sidecar.control.situation import Fact
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.objects import DEPLOYMENTS, PODS, Resource
from pilotfish.sidecar.kube.patch import apply, merge_patch
from pilotfish.sidecar.kube.read import get
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.situations import NOON, SUBJECT
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane
from tests.support.waiting import soon

Json = dict[str, Any]
NODES = Resource("", "v1", "nodes", namespaced=False)
TARGET = TargetRef(api_version="apps/v1", kind="Deployment", name="delays")
SMALL: Json = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}}
LARGE: Json = {"requests": {"cpu": "250m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "192Mi"}}
RUNNING: Json = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
CRASHED: Json = {"waiting": {"reason": "CrashLoopBackOff"}}


def pod_spec(resources: Json = SMALL, *, whole: bool = False) -> Json:
    """Return a pod spec with two containers and a sidecar; the first one has resources only if it is `whole`."""
    sidecar, model = deepcopy(resources), deepcopy(resources)
    log = {"name": "log", "image": "l", **({"resources": deepcopy(resources)} if whole else {})}
    return {
        "initContainers": [{"name": "sidecar", "image": "s", "restartPolicy": "Always", "resources": sidecar}],
        "containers": [log, {"name": "model", "image": "m", "resources": model}],
    }


@dataclass(frozen=True)
class Sized:
    """A namespace of an API server, with a node of 4 cores and 8Gi, and a connection as administrator."""

    kube: Kube
    namespace: str
    plane: ControlPlane | None = None
    api: ApiServer | None = None

    async def start(self) -> None:
        """Create the node."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}}
        await create(self.kube, NODES, node)
        status = {"status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}
        await merge_patch(self.kube, NODES, self.node, status, subresource="status")

    @property
    def node(self) -> str:
        """The name of the node."""
        return f"node-of-{self.namespace}"

    async def pod(
        self,
        name: str = "delays-1",
        state: Json = RUNNING,
        resources: Json = SMALL,
        *,
        whole: bool = False,
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> Json:
        """Create a pod whose containers are in `state`."""
        metadata = {"name": name, "labels": dict(labels)}
        body = {"metadata": metadata, "spec": {"nodeName": self.node, **pod_spec(resources, whole=whole)}}
        await create(self.kube, PODS, {"apiVersion": "v1", "kind": "Pod", **body}, self.namespace)
        rows: list[Json] = [
            {"name": one, "state": state, "resources": resources} for one in ("log", "model", "sidecar")
        ]
        found = {"containerStatuses": rows[:2], "initContainerStatuses": rows[2:]}
        for row in rows:
            row |= {"ready": True, "restartCount": 0, "image": "m", "imageID": "m"}
        status = {"status": {"phase": "Running", **found}}
        return await merge_patch(self.kube, PODS, name, status, self.namespace, subresource="status")

    async def deployment(self, manager: str = "", **metadata: Any) -> None:
        """Create the target with the template of `pod_spec`; `manager` applies it on the server.

        On a real API server, its controller then writes the status a few times: wait for the last time.
        """
        labels = {"app": "delays"}
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "delays", "namespace": self.namespace, **metadata},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod_spec()},
            },
        }
        if manager:
            await apply(self.kube, DEPLOYMENTS, body, field_manager=manager)
        else:
            await create(self.kube, DEPLOYMENTS, body, self.namespace)
        if self.plane is not None:
            await soon(self._settled, "complete status of the Deployment")

    async def _settled(self) -> bool:
        """Return whether the controller has seen the Deployment and its ReplicaSet."""
        found = await get(self.kube, DEPLOYMENTS, "delays", self.namespace)
        conditions = found.get("status", {}).get("conditions", [])
        return any(one["reason"] == "NewReplicaSetAvailable" for one in conditions)

    async def read(self, name: str = "delays-1") -> Json:
        """Return a pod."""
        return await get(self.kube, PODS, name, self.namespace)

    async def delete(self, name: str = "delays-1") -> None:
        """Delete a pod at once."""
        if self.plane is not None:
            self.plane.kubectl("-n", self.namespace, "delete", "pod", name, "--force", "--grace-period=0")
        else:
            await delete(self.kube, PODS, name, self.namespace)

    async def template(self) -> Json:
        """Return the pod spec in the template of the target."""
        found = await get(self.kube, DEPLOYMENTS, "delays", self.namespace)
        spec: Json = found["spec"]["template"]["spec"]
        return spec

    def executor(self, kube: Kube | None = None) -> ResizeExecutor:
        """Return the executor for the target."""
        return ResizeExecutor(kube or self.kube, self.namespace, TARGET)

    def intent(self, pod: Json | None, before: Json = SMALL, after: Json = LARGE, container: str = "model") -> Intent:
        """Return the intent to resize a container of `pod`, or of the template without one."""
        key = f"Deployment/{self.namespace}/delays/{container}"
        if pod is not None:
            key = f"Pod/{self.namespace}/{pod['metadata']['name']}/{pod['metadata']['uid']}/{container}"
        return level("resize", SUBJECT, key, desired=after, observed=Fact(before, NOON), why=Reason.OUTSIDE_BOUNDS)


def resources(spec: Json, container: str = "model") -> Json:
    """Return the block `resources` of a container of a pod spec."""
    rows = (*spec["containers"], *spec["initContainers"])
    found: Json = next(row for row in rows if row["name"] == container).get("resources", {})
    return found
