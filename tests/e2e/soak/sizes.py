"""Two sizes of each test in this folder: a short one for `make test-long`, the full one for `make soak`."""

from __future__ import annotations

import os
import sys
import time

FULL = bool(os.environ.get("SOAK"))
SLOW = 60.0  # seconds for what takes a restart, or several ticks; `until` multiplies it by the patience
_STARTED = time.monotonic()


def size(short: int, full: int) -> int:
    """Return `full` in `make soak`, else `short`."""
    return full if FULL else short


def progress(text: str) -> None:
    """Print a line with the elapsed time; pytest shows it at once under `make soak`, else only after a failure."""
    sys.stderr.write(f"[{time.monotonic() - _STARTED:6.0f} s] {text}\n")
    sys.stderr.flush()
