"""The memory limit of the analyzer process: the kernel enforces it, and the process recycles itself well below it.

`app.py` sets the limit at the start and polls `near_limit`. A recycle writes a checkpoint first; a failed allocation
would not.
"""

from __future__ import annotations

from ..errors import UsageError
from ..system import limits

RECYCLE_SHARE = 0.85
STARTUP_BYTES = 16 * 1024 * 1024  # needed for threads, sockets and a profile before the first record


def limit_data(size: int, used: int) -> None:
    """Limit the process's data to `size` bytes (RLIMIT_DATA); 0 sets no limit.

    Raises UsageError when `used` bytes and STARTUP_BYTES together reach the limit at which the process recycles.
    """
    if near_limit(used + STARTUP_BYTES, size):
        raise UsageError(
            f"--memory-limit is {size >> 20} MiB; the analyzer already uses {used >> 20} MiB before its first record; "
            "give 256Mi or more"
        )
    limits.limit_data(size)


def near_limit(used: int, size: int) -> bool:
    """Return whether `used` bytes of data are so close to the limit `size` that the process must be recycled."""
    return bool(size) and used >= RECYCLE_SHARE * size
