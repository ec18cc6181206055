"""How many examples a property-based test tries."""

from __future__ import annotations

from hypothesis import settings

ALL = 100  # what `make soak` tries of a test that names no number


def examples(wanted: int) -> int:
    """Return `wanted` in `make soak`, and the share of it that the profile in force gives."""
    assert settings.default is not None
    return max(1, wanted * settings.default.max_examples // ALL)
