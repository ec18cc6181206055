"""Objects in memory: one revision per change, and the history that watches read."""

from __future__ import annotations

import asyncio
import copy
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.apiserver.problems import Problem, conflict, expired, invalid, not_found

Object = dict[str, Any]
MAX_CONFIG_MAP_BYTES = 1024 * 1024
# Kinds whose status is changed by the subresource only.
WITH_STATUS = {"cronjobs", "deployments", "jobs", "modelmonitors", "pipelineruns", "pods"}
# Kinds that are replaced only with a resourceVersion, like all custom resources.
UNCONDITIONAL = {"configmaps", "pods", "secrets", "services", "deployments", "jobs", "cronjobs"}


@dataclass(frozen=True)
class Kind:
    """A kind of objects, by its place in URLs."""

    group: str
    version: str
    plural: str


@dataclass(frozen=True)
class Change:
    """One change; `before` is None for a creation."""

    revision: int
    type: str
    kind: Kind
    object: Object
    before: Object | None


@dataclass
class Storage:
    """All objects of a cluster. Whatever goes in or out is a copy."""

    revision: int = 1000
    compacted: int = 0
    objects: dict[tuple[Kind, str, str], Object] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    owners: dict[tuple[Kind, str, str], dict[tuple[str, ...], set[str]]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self.objects.get((kind, namespace, name))
        if found is None:
            raise not_found(kind.plural, name)
        return copy.deepcopy(found)

    def all(self, kind: Kind, namespace: str = "") -> list[Object]:
        found = [key for key in self.objects if key[0] == kind and namespace in {"", key[1]}]
        return [copy.deepcopy(self.objects[key]) for key in sorted(found, key=lambda key: key[1:])]

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        made = copy.deepcopy(body)
        metadata = made.setdefault("metadata", {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
        name = metadata.get("name", "")
        if not name:
            raise invalid(kind.plural, "", "metadata.name: Required value: name or generateName is required")
        if metadata.get("resourceVersion"):
            raise Problem(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        if metadata.get("namespace", namespace) != namespace:
            raise Problem(400, "BadRequest", "the namespace of the provided object does not match the namespace sent")
        if (kind, namespace, name) in self.objects:
            raise Problem(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        if namespace:
            metadata["namespace"] = namespace
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now, "generation": 1}
        if kind.plural in WITH_STATUS - {"pods"}:
            made.pop("status", None)
        return self._store("ADDED", kind, made, None)

    def update(self, kind: Kind, namespace: str, name: str, body: Object, subresource: str = "") -> Object:
        """Replace an object, or its status only."""
        before = self.get(kind, namespace, name)
        given = body.get("metadata") or {}
        revision = given.get("resourceVersion")
        if given.get("name") != name:
            raise Problem(
                400, "BadRequest", f"the name of the object ({given.get('name')}) does not match the URL ({name})"
            )
        if not revision and kind.plural not in UNCONDITIONAL:
            raise invalid(
                kind.plural, name, "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            )
        if revision and revision != before["metadata"]["resourceVersion"]:
            raise conflict(
                kind.plural, name, "the object has been modified; please apply your changes to the latest version"
            )
        if given.get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
            raise conflict(kind.plural, name, "Precondition failed: UID in precondition does not match")
        after = self._merged(kind, before, copy.deepcopy(body), subresource)
        return before if after == before else self._store("MODIFIED", kind, after, before)

    @staticmethod
    def _merged(kind: Kind, before: Object, after: Object, subresource: str) -> Object:
        """Return `after` with what a client cannot change."""
        if subresource == "status":
            return {**before, "status": after.get("status", {})}
        if kind.plural in WITH_STATUS:
            after.pop("status", None)
            after |= {"status": before["status"]} if "status" in before else {}
        kept = ("uid", "creationTimestamp", "generation", "resourceVersion", "namespace", "deletionTimestamp")
        after["metadata"] |= {key: before["metadata"][key] for key in kept if key in before["metadata"]}
        own = {key: value for key, value in after.items() if key not in {"metadata", "status"}}
        if any(before.get(key) != value for key, value in own.items()):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        return after

    def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> Object:
        before = self.get(kind, namespace, name)
        if uid and uid != before["metadata"]["uid"]:
            raise conflict(kind.plural, name, f"the UID in the precondition ({uid}) does not match")
        if before["metadata"].get("finalizers"):
            after = copy.deepcopy(before)
            after["metadata"].setdefault("deletionTimestamp", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            return self._store("MODIFIED", kind, after, before)
        return self._store("DELETED", kind, copy.deepcopy(before), before)

    def since(self, revision: int) -> list[Change]:
        """Return the changes after a revision; raise Problem 410 if they are forgotten."""
        if revision < self.compacted:
            raise expired()
        return [change for change in self.history if change.revision > revision]

    def compact(self) -> None:
        """Forget the history."""
        self.compacted = self.revision
        self.history.clear()

    def _store(self, change: str, kind: Kind, after: Object, before: Object | None) -> Object:
        name, namespace = after["metadata"]["name"], after["metadata"].get("namespace", "")
        if kind.plural == "configmaps":
            _check_size(name, after)
        gone = change == "DELETED" or (change == "MODIFIED" and _is_finished(after))
        self.revision += 1
        after["metadata"]["resourceVersion"] = str(self.revision)
        if gone:
            self.objects.pop((kind, namespace, name))
            self.owners.pop((kind, namespace, name), None)
        else:
            self.objects[kind, namespace, name] = after
        self.history.append(Change(self.revision, "DELETED" if gone else change, kind, after, before))
        self.changed.set()
        self.changed = asyncio.Event()
        return copy.deepcopy(after)


def _is_finished(found: Object) -> bool:
    """Return whether an object that is being deleted has lost its last finalizer."""
    return bool(found["metadata"].get("deletionTimestamp")) and not found["metadata"].get("finalizers")


def _check_size(name: str, found: Object) -> None:
    data, binary = found.get("data") or {}, found.get("binaryData") or {}
    size = sum(len(value.encode()) for value in data.values()) + sum(len(value) * 3 // 4 for value in binary.values())
    if size > MAX_CONFIG_MAP_BYTES:
        raise invalid("ConfigMap", name, f"[]: Too long: may not be more than {MAX_CONFIG_MAP_BYTES} bytes")
