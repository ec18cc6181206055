"""The resources of a monitor without any valid document: its pods stay as they are, and count in the pool it names.

The other monitors of the pool can then share what is left. A monitor that has had a valid document keeps that one in
force, also after a change of the leader, and is none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...settings.document import TargetRef
from ..reasons import Reason
from ..workload.hold import Hold
from .accepted import AcceptedDocument
from .key import MonitorKey
from .resizing_pool import unchanged_member
from .resizing_status import ResizingFinding
from .target_watch import SHARED_SECONDS
from .trouble import TroubleError
from .world import Item, World


@dataclass(frozen=True, slots=True)
class InvalidResources:
    """What can be read of the block `spec.resources` of a document that is not valid; None for what cannot."""

    container: str | None
    pool: str | None
    target: TargetRef | None


def invalid_resources(item: Item) -> InvalidResources | None:
    """Return what can be read of the block `spec.resources` of an object; None without the block."""
    spec = item.get("spec") or {}
    resources, target = spec.get("resources"), spec.get("targetRef")
    if not isinstance(resources, dict):
        return None
    return InvalidResources(
        container=_text(resources, "container"),
        pool=_text(resources, "pool") if resources.get("cpu") else None,
        target=_target(target) if isinstance(target, dict) else None,
    )


def pool_of(document: AcceptedDocument | None, item: Item) -> str | None:
    """Return the pool that the document in force names, or the object `item` while none is in force; else None."""
    if document is None:
        found = invalid_resources(item)
        return found.pool if found is not None else None
    settings = document.monitor.spec.resources
    return settings.pool if settings is not None and settings.cpu is not None else None


def invalid_finding(item: Item, problem: str) -> ResizingFinding | None:
    """Return why the resources stay that a document asks for which is not valid; None if it asks for none."""
    found = invalid_resources(item)
    if found is None or found.container is None:
        return None
    kept = ""
    if found.pool is not None:
        counted = "and counts" if found.target is not None else "and cannot be counted without a valid targetRef"
        kept = f"; the CPU of its pods stays as it is, {counted} in the pool {found.pool}"
    return ResizingFinding(container=found.container, held=Hold(Reason.DOCUMENT_INVALID, f"{problem}{kept}"))


@dataclass
class InvalidMember:
    """The place of the monitor `key` in its pool while it has no valid document."""

    key: MonitorKey
    world: World
    _looked_at: float = float("-inf")

    async def turn(self, item: Item) -> None:
        """Publish the pods of the target from time to time; a target that does not exist has none."""
        found = invalid_resources(item)
        if found is None or found.pool is None or self.world.monotonic() - self._looked_at < SHARED_SECONDS:
            return
        selector, replicas = None, 0
        if found.target is not None and found.container is not None:
            try:
                workload = await self.world.find_target(self.key.namespace, found.target)
                selector, replicas = workload.selector, workload.replicas
            except TroubleError as error:
                if error.trouble.reason is not Reason.TARGET_NOT_FOUND:
                    return  # the pool keeps what was published before, or names this monitor as unknown
        self._looked_at = self.world.monotonic()
        items = self.world.pods.pods_in(self.key.namespace)
        member = unchanged_member(items, selector, found.container or "", replicas)
        self.world.pools.exchange(self.key, found.pool, member, self.world.clock())


def _target(given: dict[str, Any]) -> TargetRef | None:
    api_version, kind, name = (_text(given, field) for field in ("apiVersion", "kind", "name"))
    if api_version is None or kind is None or name is None:
        return None
    return TargetRef(api_version=api_version, kind=kind, name=name)


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) and value else None
