"""How many examples a property-based test tries."""

from __future__ import annotations

from hypothesis import settings

ALL = 100  # what the profile "long" tries of a test that names no number


def examples(wanted: int) -> int:
    """Return `wanted` under the profile "long", and a share of it under the profile that is loaded by default."""
    assert settings.default is not None
    return max(1, wanted * settings.default.max_examples // ALL)
