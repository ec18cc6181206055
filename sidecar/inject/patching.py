"""Applies a JSON patch to a value, as the API server applies that of a webhook."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from .operations import Operation


def apply(value: Any, patch: Iterable[Operation]) -> Any:
    """Return `value` with the operations applied; the original is unchanged."""
    root = [copy.deepcopy(value)]
    for operation in patch:
        *steps, last = ("0", *_steps(operation.path))
        parent: Any = root
        for step in steps:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        if isinstance(parent, dict):
            _change_dict(parent, last, operation)
        else:
            _change_list(parent, last, operation)
    return root[0]


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _change_dict(parent: dict[str, Any], key: str, operation: Operation) -> None:
    if operation.op == "remove":
        del parent[key]
    else:
        parent[key] = copy.deepcopy(operation.value)


def _change_list(parent: list[Any], key: str, operation: Operation) -> None:
    at = len(parent) if key == "-" else int(key)
    if operation.op == "add":
        parent.insert(at, copy.deepcopy(operation.value))
    elif operation.op == "remove":
        del parent[at]
    else:
        parent[at] = copy.deepcopy(operation.value)
