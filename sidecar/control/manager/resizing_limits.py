"""Reads what limits the resources of pods besides their node: LimitRanges, quotas, and what the API server can do.

The lists of a namespace are read once for all monitors in it. A list that cannot be read is a problem, and nothing is
resized without it. The nodes are optional: without leave to read them, the kubelet alone refuses what has no room.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...kube.client import Kube
from ...kube.errors import KubeError
from ...kube.objects import LIMIT_RANGES, NODES, RESOURCE_QUOTAS, Resource
from ...kube.read import get, list_all
from ...podspec.amounts import amounts_of
from ..reasons import Reason
from .resizing_sources import Item, NamespaceLimits, NodeFacts
from .shared_reads import SharedReads
from .trouble import Trouble, of_kube

_LOG = logging.getLogger("pilotfish.control")
FRESH_SECONDS = 20.0  # until the lists of a namespace are read again; quotas change with each pod
LASTING_SECONDS = 600.0  # until the version of the API server, or a node, is read again


@dataclass
class LimitsReader:
    """Reads for all monitors of a process; `clock` returns epoch seconds."""

    kube: Kube
    clock: Callable[[], float]
    _noted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._reads = SharedReads(self.clock)

    async def read(self, namespace: str, nodes: Iterable[str]) -> NamespaceLimits:
        """Return what limits the resources in `namespace`, for pods on `nodes`."""
        names = sorted(set(filter(None, nodes)))
        ranges, quotas, version, found = await asyncio.gather(
            self._list(LIMIT_RANGES, namespace),
            self._list(RESOURCE_QUOTAS, namespace),
            self._version(),
            asyncio.gather(*(self._node(name) for name in names)),
        )
        return NamespaceLimits(
            limit_ranges=ranges if isinstance(ranges, tuple) else (),
            quotas=quotas if isinstance(quotas, tuple) else (),
            version=version if isinstance(version, tuple) else None,
            nodes={name: one for name, one in zip(names, found, strict=True) if isinstance(one, NodeFacts)},
            problem=next((one for one in (ranges, quotas, version) if isinstance(one, Trouble)), None),
        )

    async def _list(self, resource: Resource, namespace: str) -> tuple[Item, ...] | Trouble:
        async def read() -> tuple[Item, ...] | Trouble:
            try:
                found, _ = await list_all(self.kube, resource, namespace)
            except KubeError as error:
                return of_kube(f"the {resource.plural} of the namespace", error, Reason.API_SERVER_UNREACHABLE).trouble
            return tuple(found)

        return await self._reads.once((resource.plural, namespace), FRESH_SECONDS, read)

    async def _version(self) -> tuple[int, int] | Trouble | None:
        async def read() -> tuple[int, int] | Trouble | None:
            try:
                return parse_version(await self.kube.request("GET", "/version"))
            except KubeError as error:
                return of_kube("the version of the API server", error, Reason.API_SERVER_UNREACHABLE).trouble

        return await self._reads.once(("version", ""), LASTING_SECONDS, read, lambda one: not isinstance(one, Trouble))

    async def _node(self, name: str) -> NodeFacts | KubeError:
        async def read() -> NodeFacts | KubeError:
            try:
                status = (await get(self.kube, NODES, name)).get("status") or {}
            except KubeError as error:
                self._note("what a node has", error)
                return error
            declared = status.get("declaredFeatures")
            features = frozenset(map(str, declared)) if isinstance(declared, list) else None
            return NodeFacts(amounts_of(status.get("allocatable")), features)

        return await self._reads.once(
            ("node", name), LASTING_SECONDS, read, lambda one: isinstance(one, NodeFacts) or not one.retryable
        )

    def _note(self, what: str, error: KubeError) -> None:
        """Log once for each kind of error that a resize is planned without knowing `what`."""
        name = type(error).__name__
        if name not in self._noted:
            self._noted.add(name)
            _LOG.info("resources are sized without knowing %s: %s", what, error)


def parse_version(found: object) -> tuple[int, int] | None:
    """Return major and minor of the answer to `GET /version`, such as 1 and 34 of v1.34.2-gke.3; None for another."""
    text = found.get("gitVersion") if isinstance(found, dict) else None
    numbers = re.match(r"v([0-9]{1,4})\.([0-9]{1,4})\b", text) if isinstance(text, str) else None
    return (int(numbers[1]), int(numbers[2])) if numbers is not None else None
