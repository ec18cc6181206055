"""The template of the sidecars that the injector uses, from its ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from .snapshot import ClusterSnapshot, Json

NAME = "pilotfish-injector"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def template_of(snapshot: ClusterSnapshot) -> Json:
    """Return the template, empty if it cannot be read."""
    item = snapshot.named("configuration", NAME) or {}
    return _parse(str((item.get("data") or {}).get("sidecar.yaml") or ""))


@lru_cache(maxsize=1)
def _parse(text: str) -> Json:
    try:
        found: Any = yaml.load(text, Loader=_LOADER)  # noqa: S506  a safe loader
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}
