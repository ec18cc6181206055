"""Two sizes of a long test: a short one for `make test-long`, the full one for `make soak`."""

from __future__ import annotations

import os

FULL = bool(os.environ.get("SOAK"))


def size(short: int, full: int) -> int:
    """Return `full` in `make soak`, else `short`."""
    return full if FULL else short
