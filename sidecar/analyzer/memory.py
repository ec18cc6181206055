"""The analyzer's own ceiling: the kernel enforces it, and well below it the process asks to be started anew."""

from __future__ import annotations

import resource

RECYCLE_SHARE = 0.85


def limit_data(size: int) -> None:
    """Let the process have at most `size` bytes of data (RLIMIT_DATA); 0 leaves it as it is."""
    if size:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        allowed = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def worn_out(used: int, size: int) -> bool:
    """Tell whether `used` bytes of data are so near to the ceiling `size` that it is time to start anew."""
    return bool(size) and used >= RECYCLE_SHARE * size
