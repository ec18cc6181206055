"""What a decision knows about the cluster: mirrors of a few kinds, by namespace.

    watch --trim--> Store --on_change--> indexes --> Surroundings

Kinds of an extension (InferencePools, ModelMonitors) are mirrored while their CustomResourceDefinition serves them. It
may appear at any time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.mirror import Store, mirror
from ...kube.objects import (
    CUSTOM_RESOURCE_DEFINITIONS,
    INFERENCE_POOLS,
    INFERENCE_POOLS_ALPHA,
    LIMIT_RANGES,
    MODEL_MONITORS,
    NAMESPACES,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from ...kube.read import get
from ...kube.watch import DELETED, WatchTiming
from ...tasks import keep_running
from ..context import ClusterService, InferencePool
from .index import NamespaceIndex, SelectorIndex
from .kinds import KINDS, PARSED, Item, MonitorTarget, NamespaceLabels, trim, trim_definition
from .owners import FOLLOWED, OwnerReference, controller_of, owners_of

_LOG = logging.getLogger("pilotfish.injector")

EXTENSIONS = (INFERENCE_POOLS, INFERENCE_POOLS_ALPHA, MODEL_MONITORS)
OPTED_IN = frozenset({"all", "monitored"})  # values of the label of a namespace
STALE = 120.0  # seconds without a word of the API server, which sends a bookmark each minute
LOOKUP_SECONDS = 0.8  # to read an object that is newer than its mirror, within the 3 s of a review


@dataclass
class ClusterMirrors:
    """The mirrors of all kinds; `run` keeps them current.

    Attributes:
        stores: the mirrored objects by kind; those of an extension only while its definition serves them.
        changed: called after a change of a namespace or monitor.
    """

    kube: Kube
    changed: Callable[[], None] = lambda: None
    timing: WatchTiming = field(default_factory=WatchTiming)
    stores: dict[Resource, Store] = field(
        default_factory=lambda: {resource: Store() for resource in KINDS if resource not in EXTENSIONS}
    )
    definitions: dict[Resource, Store] = field(default_factory=lambda: {resource: Store() for resource in EXTENSIONS})
    services: SelectorIndex[ClusterService] = field(default_factory=SelectorIndex)
    pools: SelectorIndex[InferencePool] = field(default_factory=SelectorIndex)
    alpha_pools: SelectorIndex[InferencePool] = field(default_factory=SelectorIndex)
    monitors: NamespaceIndex[MonitorTarget] = field(default_factory=NamespaceIndex)
    limits: NamespaceIndex[Item] = field(default_factory=NamespaceIndex)
    quotas: NamespaceIndex[Item] = field(default_factory=NamespaceIndex)
    _extensions: dict[Resource, asyncio.Task[None]] = field(default_factory=dict)
    _problem: str = ""

    def __post_init__(self) -> None:
        self._indexes: Mapping[Resource, Any] = {
            INFERENCE_POOLS: self.pools,
            INFERENCE_POOLS_ALPHA: self.alpha_pools,
            LIMIT_RANGES: self.limits,
            MODEL_MONITORS: self.monitors,
            RESOURCE_QUOTAS: self.quotas,
            SERVICES: self.services,
        }

    def missing(self) -> tuple[str, ...]:
        """Return the kinds that were not listed yet."""
        definitions = {CUSTOM_RESOURCE_DEFINITIONS.plural for store in self.definitions.values() if not store.synced}
        return tuple(sorted({kind.plural for kind, store in self.stores.items() if not store.synced} | definitions))

    def stale(self) -> tuple[str, ...]:
        """Return the kinds about which the API server has sent nothing for STALE seconds."""
        return tuple(sorted({kind.plural for kind, store in self.stores.items() if store.age() > STALE}))

    def problems(self) -> tuple[str, ...]:
        """Return the errors of the last requests."""
        stores = (*self.stores.values(), *self.definitions.values())
        return tuple(sorted({str(store.problem) for store in stores if store.problem is not None}))

    def namespaces(self) -> dict[str, NamespaceLabels]:
        """Return all namespaces."""
        return {name: item[PARSED] for (_, name), item in self.stores[NAMESPACES].objects.items()}

    # --- what a decision reads

    async def namespace(self, name: str) -> NamespaceLabels | None:
        """Return a namespace, also one that is newer than its mirror; None if there is none."""
        found = self.stores[NAMESPACES].get("", name) or await self._look_up(NAMESPACES, name)
        labels: NamespaceLabels | None = found[PARSED] if found is not None else None
        return labels

    async def owners(self, pod: Mapping[str, Any], namespace: str) -> tuple[OwnerReference, ...]:
        """Return the owners of a new pod, the nearest first; its own owner may be newer than the mirror."""
        newer: dict[tuple[Resource, str], Item] = {}
        owner = controller_of(pod)
        resource = FOLLOWED.get((owner.group, owner.kind)) if owner is not None else None
        if owner is not None and resource is not None and self.stores[resource].get(namespace, owner.name) is None:
            found = await self._look_up(resource, owner.name, namespace)
            if found is not None:
                newer[resource, owner.name] = found

        def owner_of(kind: Resource, name: str) -> OwnerReference | None:
            item = self.stores[kind].get(namespace, name) or newer.get((kind, name))
            reference: OwnerReference | None = item[PARSED] if item is not None else None
            return reference

        return owners_of(pod, owner_of)

    def monitor_of(self, namespace: str, owners: tuple[OwnerReference, ...]) -> MonitorTarget | None:
        """Return the oldest monitor of a namespace whose target is one of `owners`, as the controller chooses it."""
        places = {(owner.group, owner.kind, owner.name) for owner in owners}
        found = [one for one in self.monitors.all(namespace) if one.place in places]
        return min(found, key=lambda one: one.order, default=None)

    async def _look_up(self, resource: Resource, name: str, namespace: str = "") -> Item | None:
        try:
            found = await get(self.kube, resource, name, namespace, timeout=LOOKUP_SECONDS)
        except KubeError as error:
            problem = "" if isinstance(error, NotFoundError) else str(error)
            if problem and problem != self._problem:
                _LOG.warning("an object that a new pod needs was not read: %s", problem)
            self._problem = problem or self._problem
            return None
        self._problem = ""
        return trim(resource)(found)

    # --- keeping them current

    async def run(self) -> None:
        """Keep all mirrors current until cancelled."""
        self.definitions = {resource: Store() for resource in EXTENSIONS}
        try:
            async with asyncio.TaskGroup() as group:
                for resource, store in tuple(self.stores.items()):
                    group.create_task(self._mirror(resource, store))
                for resource, store in self.definitions.items():
                    group.create_task(self._watch_definition(resource, store))
        finally:
            for resource in tuple(self._extensions):
                self._take_definition(resource, serves=False)

    async def _mirror(self, resource: Resource, store: Store) -> None:
        def take(change: str, item: Item) -> None:
            self._take(resource, change, item)

        await mirror(self.kube, resource, store, on_change=take, trim=trim(resource), timing=self.timing)

    async def _watch_definition(self, resource: Resource, store: Store) -> None:
        def take(change: str, item: Item) -> None:
            self._take_definition(resource, serves=change != DELETED and resource.version in item[PARSED])

        await mirror(
            self.kube,
            CUSTOM_RESOURCE_DEFINITIONS,
            store,
            field_selector=f"metadata.name={resource.plural}.{resource.group}",
            on_change=take,
            trim=trim_definition,
            timing=self.timing,
        )

    def _take_definition(self, resource: Resource, *, serves: bool) -> None:
        """Begin to mirror an extension when its definition serves it, and end when it no longer does."""
        if serves and resource not in self._extensions:
            self.stores[resource] = store = Store()
            following = keep_running(f"following {resource.plural}", partial(self._mirror, resource, store))
            self._extensions[resource] = asyncio.create_task(following)
        elif not serves and resource in self._extensions:
            self._extensions.pop(resource).cancel()
            for found in self.stores.pop(resource).objects.values():
                self._take(resource, DELETED, found)

    def _take(self, resource: Resource, change: str, item: Item) -> None:
        """Bring the index of a kind up to date."""
        index = self._indexes.get(resource)
        if index is not None:
            place = (item["metadata"]["namespace"], item["metadata"]["name"])
            index.drop(*place)
            if change != DELETED and item[PARSED] is not None:
                index.put(*place, item[PARSED])
        if resource in (MODEL_MONITORS, NAMESPACES):
            self.changed()
