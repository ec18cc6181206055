"""Environment variables that override settings, for values that differ from pod to pod."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

VARIABLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "PILOTFISH_MODE": ("spec", "mode"),
        "PILOTFISH_MODEL_NAME": ("spec.model", "name"),
        "PILOTFISH_MODEL_VERSION": ("spec.model", "version"),
    }
)


def apply_environment(root: Any, environ: Mapping[str, str]) -> dict[str, str]:
    """Write the variables of `environ` into the plain tree `root`; an empty variable sets nothing.

    Return the name of the variable for each path that one has set ("$.spec.mode"), for messages.
    """
    applied = {}
    for name, (block, key) in VARIABLES.items():
        value = environ.get(name)
        parent = _block(root, block.split(".")) if value else None
        if parent is not None:
            parent[key] = value
            applied[f"$.{block}.{key}"] = name
    return applied


def _block(root: Any, names: list[str]) -> dict[str, Any] | None:
    for name in names:
        if not isinstance(root, dict):
            return None
        if root.get(name) is None:
            root[name] = {}
        root = root[name]
    return root if isinstance(root, dict) else None
