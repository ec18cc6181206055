"""Merge patch, JSON patch, and server-side apply as far as Pilotfish uses it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.support.apiserver.problems import Problem

Path = tuple[str, ...]


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with an RFC 7386 patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Any, operations: list[dict[str, Any]]) -> Any:
    """Return `target` with the operations add, remove, replace and test of RFC 6902."""
    document = {"": copy.deepcopy(target)}
    for operation in operations:
        parts = ["", *(part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:])]
        parent: Any = document
        try:
            for part in parts[:-1]:
                parent = parent[int(part)] if isinstance(parent, list) else parent[part]
            _operate(parent, parts[-1], operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise Problem(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from error
    return document[""]


def _operate(parent: Any, last: str, operation: dict[str, Any]) -> None:
    kind = operation["op"]
    if kind == "add" and isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), operation["value"])
        return
    key: Any = int(last) if isinstance(parent, list) else last
    if kind == "add":
        parent[key] = operation["value"]
    elif kind == "replace":
        parent[key]  # it must exist
        parent[key] = operation["value"]
    elif kind == "remove":
        del parent[key]
    elif kind == "test":
        if parent[key] != operation["value"]:
            raise ValueError(f"testing value {operation['path']} failed")
    else:
        raise ValueError(f"operation {kind}")


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield path and value of each field that an applied configuration sets; a list is one field."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif (
        path
        and path[0] not in {"apiVersion", "kind"}
        and path[:2] not in {("metadata", "name"), ("metadata", "namespace")}
    ):
        yield path, value


def apply(
    target: dict[str, Any], wanted: dict[str, Any], manager: str, owners: dict[Path, set[str]], force: bool
) -> Any:
    """Return `target` with the fields of `wanted`; `owners` is changed. Fields that are no longer wanted go."""
    fields = dict(leaves(wanted))
    foreign = [
        path for path, value in fields.items() if owners.get(path, set()) - {manager} and _at(target, path) != value
    ]
    if foreign and not force:
        names = ", ".join("." + ".".join(path) for path in foreign)
        raise Problem(409, "Conflict", f"Apply failed with {len(foreign)} conflicts: {names}")
    result = copy.deepcopy(target)
    for path, holders in list(owners.items()):
        if manager in holders and path not in fields:
            holders.discard(manager)
            if not holders:
                _remove(result, path)
                del owners[path]
    for path in fields:
        owners[path] = {manager} if path in foreign else owners.get(path, set()) | {manager}
    return merge_patch(result, wanted)


def _at(target: Any, path: Path) -> Any:
    for part in path:
        target = target.get(part) if isinstance(target, dict) else None
    return target


def _remove(target: Any, path: Path) -> None:
    for part in path[:-1]:
        target = target.get(part, {})
    target.pop(path[-1], None)
