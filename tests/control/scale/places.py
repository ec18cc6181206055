"""Namespaces with scalable objects, on the API server of this process and on a real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import yaml

from pilotfish.sidecar.control.intent import Intent, level
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.executor import ScaleExecutor
from pilotfish.sidecar.control.situation import Fact
from pilotfish.sidecar.control.workload.kinds import needs_scale, replicas_path, resource_of
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.errors import ConflictError
from pilotfish.sidecar.kube.objects import DEPLOYMENTS
from pilotfish.sidecar.kube.patch import apply, merge_patch
from pilotfish.sidecar.kube.read import get
from pilotfish.sidecar.kube.replace import replace as put
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.retraining import definition
from tests.control.scale.targets import deployment
from tests.control.situations import NOON, SUBJECT
from tests.helm.render import RENDERED
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane

DEPLOYMENT = TargetRef(api_version="apps/v1", kind="Deployment", name="delays")
# by kind: the API version of each kind whose replicas are set in a test
KINDS = {
    "Deployment": "apps/v1",
    "InferenceService": "serving.kserve.io/v1beta1",
    "LLMInferenceService": "serving.kserve.io/v1alpha1",
    "LeaderWorkerSet": "leaderworkerset.x-k8s.io/v1",
    "Model": "example.org/v1",
    "ReplicaSet": "apps/v1",
    "Rollout": "argoproj.io/v1alpha1",
    "StatefulSet": "apps/v1",
}


def _definition(kind: str) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, with the subresource `scale` unless it is of KServe."""
    group, _, version = KINDS[kind].partition("/")
    found = definition(group, version, kind)
    if needs_scale(KINDS[kind], kind):
        found["spec"]["versions"][0]["subresources"]["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    return found


DEFINITIONS = [_definition(kind) for kind in KINDS if not KINDS[kind].startswith("apps/")]


@dataclass(frozen=True)
class Place:
    """A namespace of an API server, and a connection as administrator."""

    kube: Kube
    namespace: str
    plane: ControlPlane | None = None
    api: ApiServer | None = None

    async def create(self, kind: str = "Deployment", replicas: int = 2, **metadata: Any) -> TargetRef:
        """Create an object of a kind, named `delays`, and return the reference to it."""
        body = deployment(replicas=replicas, **metadata)
        body |= {"apiVersion": KINDS[kind], "kind": kind}
        body["metadata"] = {"name": "delays", "namespace": self.namespace, **metadata}
        del body["status"]
        if kind == "StatefulSet":
            body["spec"]["serviceName"] = "delays"
        if kind == "InferenceService":
            body["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "Standard"}
            body["spec"] = {"predictor": {"minReplicas": replicas, "maxReplicas": 9}}
        await create(self.kube, resource_of(KINDS[kind], kind), body, self.namespace)
        return TargetRef(api_version=KINDS[kind], kind=kind, name="delays")

    async def read(self, target: TargetRef = DEPLOYMENT) -> dict[str, Any]:
        """Return the object that `target` names."""
        return await get(self.kube, resource_of(target.api_version, target.kind), target.name, self.namespace)

    async def replicas(self, target: TargetRef = DEPLOYMENT) -> int:
        """Return the desired replicas of `target`."""
        found: Any = await self.read(target)
        for name in replicas_path(found):
            found = found[name]
        return int(found)

    async def scale(self, replicas: int, target: TargetRef = DEPLOYMENT, manager: str = "kubectl") -> None:
        """Set the replicas as `kubectl scale` does: by kubectl itself, where there is one."""
        resource = resource_of(target.api_version, target.kind)
        if self.plane is not None and manager == "kubectl":
            name = f"{resource.plural}.{resource.version}.{resource.group}/{target.name}"
            self.plane.kubectl("-n", self.namespace, "scale", name, f"--replicas={replicas}")
            return
        for _ in range(20):  # the status of a new Deployment changes in between
            found = await get(self.kube, resource, target.name, self.namespace, subresource="scale")
            body = {**found, "spec": {"replicas": replicas}}
            with suppress(ConflictError):
                await put(self.kube, resource, body, subresource="scale", field_manager=manager)
                return
        raise AssertionError(f"{target.kind} {target.name} changes all the time")

    async def apply(self, replicas: int, manager: str) -> None:
        """Apply the Deployment on the server, and force conflicts."""
        body = deployment(replicas=replicas)
        body["metadata"] = {"name": "delays", "namespace": self.namespace}
        del body["status"]
        await apply(self.kube, DEPLOYMENTS, body, field_manager=manager, force=True)

    async def patch(self, target: TargetRef, body: dict[str, Any], manager: str = "") -> None:
        """Change an object by a merge patch."""
        resource = resource_of(target.api_version, target.kind)
        await merge_patch(self.kube, resource, target.name, body, self.namespace, field_manager=manager)

    def executor(self, target: TargetRef, kube: Kube | None = None) -> ScaleExecutor:
        """Return the executor for `target`."""
        return ScaleExecutor(kube or self.kube, self.namespace, target)


def intent(before: int, after: int) -> Intent:
    """Return the intent to change the replicas of a Deployment."""
    key = "Deployment/default/delays"
    return level("scale", SUBJECT, key, desired=after, observed=Fact(before, NOON), why=Reason.MODE)


@dataclass
class Interfering:
    """A connection on which `act` runs once, after the first GET: somebody else is faster."""

    inner: Kube
    act: Callable[[], Awaitable[None]]
    acted: bool = False

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request."""
        found = await self.inner.request(method, path, **options)
        if method == "GET" and not self.acted:
            self.acted = True
            await self.act()
        return found

    def as_kube(self) -> Kube:
        """Return it as what the verbs of `kube` take."""
        return cast("Kube", self)


def chart_rules(namespace: str = "flights") -> list[dict[str, Any]]:
    """Return the rules of the controller in a namespace of `actNamespaces`, from the committed renderings."""
    rendered = (RENDERED / "default.yaml", RENDERED / "act-namespaces.yaml")
    items = [item for path in rendered for item in yaml.safe_load_all(path.read_text()) if item]
    roles = {  # the second file has what differs from the first one
        item["kind"]: item["rules"]
        for item in items
        if (item["kind"], item["metadata"]["name"]) == ("ClusterRole", "pilotfish-control")
        or (item["kind"] == "Role" and item["metadata"].get("namespace") == namespace)
    }
    assert len(roles) == 2
    return [rule for rules in roles.values() for rule in rules]


def without(rules: list[dict[str, Any]], resource: str) -> list[dict[str, Any]]:
    """Return the rules without those that name a resource."""
    kept = [{**rule, "resources": [one for one in rule["resources"] if one != resource]} for rule in rules]
    return [rule for rule in kept if rule["resources"]]
