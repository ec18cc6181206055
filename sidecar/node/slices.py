"""Lists the ResourceSlices of the node, for the UUIDs of devices of dynamic resource allocation (DRA).

It asks the API server only while a pod of the node has such a device that is not known.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from ..kube.client import Kube
from ..kube.errors import KubeError, NotFoundError
from ..kube.objects import Resource
from ..kube.read import list_all
from .allocations import Device, read_slices
from .problems import NodeProblem, NodeReason

_LOG = logging.getLogger("pilotfish.node")

GROUP = "resource.k8s.io"
VERSIONS = ("v1", "v1beta2", "v1beta1")  # since Kubernetes 1.34, 1.33, 1.32
LEAST_SECONDS = 30.0  # between two lists


class SliceSource:
    """The UUIDs of the node's devices of claims.

    Attributes:
        uuids: by device.
        problem: why the last list failed; None after a success.
    """

    def __init__(self, kube: Kube, node: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.uuids: dict[Device, str] = {}
        self.problem: NodeProblem | None = None
        self._kube = kube
        self._node = node
        self._clock = clock
        self._again_at = 0.0
        self._resource: Resource | None = None

    async def refresh(self, devices: Collection[Device]) -> None:
        """List the slices if one of `devices` is not known, at most every LEAST_SECONDS. Raises nothing."""
        if not devices - self.uuids.keys() or self._clock() < self._again_at:
            return
        self._again_at = self._clock() + LEAST_SECONDS
        try:
            self.uuids = read_slices(await self._list())
        except KubeError as error:
            if self.problem is None:
                _LOG.warning("%s: %s", NodeReason.SLICES_FAILED.meaning, error)
            self.problem = NodeProblem(NodeReason.SLICES_FAILED, type(error).__name__)
            return
        self.problem = None

    async def _list(self) -> list[dict[str, object]]:
        """Return the slices by the newest version that the API server has; raise KubeError."""
        candidates = [self._resource] if self._resource is not None else _resources()
        for resource in candidates:
            try:
                found, _ = await list_all(self._kube, resource, field_selector=f"spec.nodeName={self._node}")
            except NotFoundError:
                if resource is candidates[-1]:
                    raise
                continue
            self._resource = resource
            return found
        raise AssertionError("the last version returns or raises")


def _resources() -> list[Resource]:
    return [Resource(GROUP, version, "resourceslices", namespaced=False) for version in VERSIONS]
