"""Selects the source of the profile for a version of the model."""

from __future__ import annotations

from collections.abc import Sequence

from .document import ProfileSource


def source_for(sources: Sequence[ProfileSource], version: str) -> ProfileSource | None:
    """Return the source for `version`: the exact one, else one for any version, else the only one if it is unknown."""
    for wanted in (version, ""):
        for source in sources:
            if source.version == wanted:
                return source
    return sources[0] if len(sources) == 1 and not version else None
