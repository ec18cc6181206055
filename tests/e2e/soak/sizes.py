"""How long the tests of this folder wait, and what they print meanwhile."""

from __future__ import annotations

import sys
import time

SLOW = 60.0  # seconds for what takes a restart, or several ticks; `until` multiplies it by the patience
_STARTED = time.monotonic()


def progress(text: str) -> None:
    """Print a line with the elapsed time; pytest shows it at once under `make soak`, else only after a failure."""
    sys.stderr.write(f"[{time.monotonic() - _STARTED:6.0f} s] {text}\n")
    sys.stderr.flush()
