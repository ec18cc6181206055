"""A copy of the objects of one kind, kept current by a watch, with the age of the last contact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any

from .client import Kube
from .errors import KubeError
from .objects import Resource
from .read import Trim
from .watch import ADDED, BOOKMARK, DELETED, LISTED, MODIFIED, WatchEvent, WatchTiming, watch

Key = tuple[str, str]
OnChange = Callable[[str, dict[str, Any]], None]


class Store:
    """The objects of one kind by (namespace, name). Only `mirror` changes it; its readers must not change an object.

    synced     whether the objects were listed once
    problem    the error of the last request to the API server, or None after a success

    A reader that decides something checks `synced` and `age()`: a watch that is alive brings something each minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.synced = False
        self.problem: KubeError | None = None
        self._clock = clock
        self._contact = clock()

    def get(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None if there is none."""
        return self.objects.get((namespace, name))

    def age(self) -> float:
        """Return the seconds since the API server last sent something, also a bookmark; it sends one each minute."""
        return self._clock() - self._contact

    def apply(self, event: WatchEvent) -> list[tuple[str, dict[str, Any]]]:
        """Take in an event of a watch, and return the changes (ADDED, MODIFIED or DELETED, object) that it makes."""
        self._contact = self._clock()
        self.problem = None
        if event.type == BOOKMARK:
            return []
        if event.type == LISTED:
            self.synced = True
            return self._replace(event.object["items"])
        key = _key(event.object)
        before = self.objects.get(key)
        if event.type == DELETED:
            self.objects.pop(key, None)
            return [] if before is None else [(DELETED, event.object)]
        self.objects[key] = event.object
        return [(ADDED if before is None else MODIFIED, event.object)]

    def set_problem(self, error: KubeError | None) -> None:
        """Set `problem`."""
        self.problem = error

    def _replace(self, items: Iterable[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
        """Replace all objects. An object with another uid was deleted and created again."""
        before, self.objects = self.objects, {_key(item): item for item in items}
        changes: list[tuple[str, dict[str, Any]]] = []
        for key, old in before.items():
            new = self.objects.get(key)
            if new is None or _field(new, "uid") != _field(old, "uid"):
                changes.append((DELETED, old))
        for key, new in self.objects.items():
            found = before.get(key)
            if found is None or _field(new, "uid") != _field(found, "uid"):
                changes.append((ADDED, new))
            elif _field(new, "resourceVersion") != _field(found, "resourceVersion"):
                changes.append((MODIFIED, new))
        return changes


def drop_managed_fields(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object without the record of who set which field, often its largest part."""
    found["metadata"].pop("managedFields", None)
    return found


async def mirror(
    kube: Kube,
    resource: Resource,
    store: Store,
    namespace: str = "",
    *,
    label_selector: str = "",
    field_selector: str = "",
    on_change: OnChange | None = None,
    trim: Trim = drop_managed_fields,
    timing: WatchTiming = WatchTiming(),  # noqa: B008  # frozen
) -> None:
    """Keep `store` current until the task is cancelled; call `on_change` after each change, in order.

    `trim` returns the part of an object that is kept, with name, namespace, uid and resourceVersion. A pod of three
    containers takes 60 kB of memory, 32 kB without its managed fields, and 2 kB with labels and phase only.

    A list in the place of lost history causes the changes that lie between: `on_change` gets each object once.
    """
    events = watch(
        kube,
        resource,
        namespace,
        label_selector=label_selector,
        field_selector=field_selector,
        trim=trim,
        timing=timing,
        on_problem=store.set_problem,
    )
    async with aclosing(events):
        async for event in events:
            for change, found in store.apply(event):
                if on_change is not None:
                    on_change(change, found)


def _key(found: dict[str, Any]) -> Key:
    metadata = found["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _field(found: dict[str, Any], name: str) -> object:
    return found["metadata"].get(name)
