"""The table of known model servers: how each of them is told its port."""

from __future__ import annotations

from .context import Json


def is_known(container: Json) -> bool:
    """Return whether the container runs a known model server."""
    return container.get("image") == ""
