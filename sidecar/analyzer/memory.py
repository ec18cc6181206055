"""The analyzer's own ceiling: the kernel enforces it, and well below it the process asks to be started anew."""

from __future__ import annotations

from ..errors import UsageError
from ..system import limits

RECYCLE_SHARE = 0.85
STARTUP_BYTES = 16 * 1024 * 1024  # threads, sockets, a profile


def limit_data(size: int, used: int) -> None:
    """Let the process have at most `size` bytes of data (RLIMIT_DATA); 0 leaves it as it is.

    UsageError when it has `used` so much already that it would have to start anew at once.
    """
    if near_limit(used + STARTUP_BYTES, size):
        raise UsageError(
            f"--memory-limit of {size >> 20} MiB is too little: the analyzer has {used >> 20} MiB of data before its "
            "first record; give 256Mi or more"
        )
    limits.limit_data(size)


def near_limit(used: int, size: int) -> bool:
    """Tell whether `used` bytes of data are so near to the ceiling `size` that it is time to start anew."""
    return bool(size) and used >= RECYCLE_SHARE * size
