"""A real API server for the tests of resizing: namespaces with LimitRanges, quotas and pods that seem to run."""

from __future__ import annotations

import copy
import http.client
import json
import ssl
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pilotfish.sidecar.podspec.running import INIT_CONTAINERS
from tests.support.cluster import ADMIN, ControlPlane
from tests.support.waiting import patient, wait_until

NODES: dict[str, list[str]] = {"old": [], "new": [INIT_CONTAINERS]}  # with the features that they declare
ALLOCATABLE = {"cpu": "8", "memory": "8Gi", "pods": "10000"}
Object = dict[str, Any]


@dataclass(eq=False)
class Namespace:
    """A namespace of its own, and requests to it."""

    plane: ControlPlane
    name: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:10]}")

    def __post_init__(self) -> None:
        metadata = {"metadata": {"name": self.name}}
        self.request("POST", "/api/v1/namespaces", metadata)
        self.request("POST", self.path("serviceaccounts"), {"metadata": {"name": "default"}})
        for node, features in NODES.items():
            if self.request("POST", "/api/v1/nodes", {"metadata": {"name": node}})[0] == 201:
                status = {"status": {"allocatable": ALLOCATABLE, "declaredFeatures": features}}
                self.request("PATCH", f"/api/v1/nodes/{node}/status", status)

    @classmethod
    @cache
    def default(cls, plane: ControlPlane) -> Namespace:
        """One namespace for all tests that store nothing."""
        return cls(plane)

    def path(self, plural: str, name: str = "", subresource: str = "") -> str:
        return "/".join(filter(None, [f"/api/v1/namespaces/{self.name}/{plural}", name, subresource]))

    def request(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        """Return status and body of the answer."""
        kind = "application/strategic-merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        context = ssl.create_default_context(cafile=self.plane.ca)
        address = urlsplit(self.plane.url).netloc
        with closing(http.client.HTTPSConnection(address, context=context, timeout=patient(30))) as client:
            client.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            response = client.getresponse()
            found: Object = json.loads(response.read())
        return response.status, found

    def get(self, plural: str, name: str = "") -> Object:
        status, found = self.request("GET", self.path(plural, name))
        assert status == 200, found
        return found

    def limit(self, limit_ranges: list[Object]) -> None:
        """Create the LimitRanges that the server accepts, and wait until it applies them."""
        for item in limit_ranges:
            self.request("POST", self.path("limitranges"), item)
        claims = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
        self.request("POST", self.path("limitranges"), {"metadata": {"name": "z"}, "spec": {"limits": [claims]}})
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
        claim = {"metadata": {"name": "probe"}, "spec": spec}  # refused once the last LimitRange is known
        path = self.path("persistentvolumeclaims") + "?dryRun=All"
        wait_until(lambda: self.request("POST", path, claim)[0] == 403, timeout=30, what="the LimitRanges")

    def bound(self, quotas: list[Object]) -> None:
        """Create the quotas that the server accepts, and wait until they are counted."""
        for item in quotas:
            self.request("POST", self.path("resourcequotas"), {**item, "status": {}})
        wait_until(lambda: all(map(_is_counted, self.quotas())), timeout=30, what="the quotas")

    def quotas(self) -> list[Object]:
        found: list[Object] = self.get("resourcequotas")["items"]
        return found

    def limit_ranges(self) -> list[Object]:
        found: list[Object] = self.get("limitranges")["items"]
        return found

    def pod(self, spec: Object, *, node: str, runs: bool) -> Object | None:
        """Create a pod, and return it as it is stored; None if the server refuses it."""
        name = f"pod-{uuid.uuid4().hex[:8]}"
        spec = copy.deepcopy(spec)
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            container["image"] = "none.invalid/none"
        body = {"metadata": {"name": name}, "spec": {**spec, **({"nodeName": node} if node else {})}}
        status, found = self.request("POST", self.path("pods"), body)
        if status != 201:
            return None
        if runs:
            statuses = [
                {"name": one["name"], "image": "none", "imageID": "", "ready": True, "restartCount": 0}
                | {"state": {"running": {}}, "resources": one.get("resources") or {}}
                | {"allocatedResources": (one.get("resources") or {}).get("requests") or {}}
                for one in found["spec"]["containers"]
            ]
            patch = {"status": {"phase": "Running", "containerStatuses": statuses}}
            status, found = self.request("PATCH", self.path("pods", name, "status"), patch)
            assert status == 200, found
        return self.get("pods", name)

    def resize(self, pod: Object, place: str, container: str, resources: Object) -> str:
        """Return why the server refuses the resize, in a dry run; empty if it accepts it."""
        body = {"spec": {place: [{"name": container, "resources": resources}]}}
        path = self.path("pods", pod["metadata"]["name"], "resize") + "?dryRun=All"
        status, found = self.request("PATCH", path, body)
        if status != 200:
            return str(found.get("message"))
        assert found["status"]["qosClass"] == pod["status"]["qosClass"]
        return ""


def _is_counted(quota: Object) -> bool:
    return {*(quota["status"].get("used") or {})} == {*(quota["spec"].get("hard") or {})}
