"""The memory limit of the analyzer process: the kernel enforces it, and the process recycles itself well below it.

`app.py` sets the limit at the start and polls `near_limit`. A recycle writes a checkpoint first; a failed allocation
would not.
"""

from __future__ import annotations

from ..errors import UsageError
from ..system import limits

RECYCLE_SHARE = 0.85
SMALLEST_BYTES = 256 * 1024 * 1024  # recommended for any profile
ROUNDED = 64 * 1024 * 1024  # a recommended limit is a multiple of it
FIRST_RECORD_BYTES = 8 * 1024 * 1024  # needed for the first records, after everything has started
STARTUP_BYTES = 16 * 1024 * 1024  # needed for threads, sockets and a profile before the first record


def limit_data(size: int, used: int) -> None:
    """Limit the process's data to `size` bytes (RLIMIT_DATA); 0 sets no limit.

    Raises UsageError when `used` bytes and STARTUP_BYTES together reach the limit at which the process recycles.
    """
    check_room(size, used + STARTUP_BYTES)
    limits.limit_data(size)


def check_room(size: int, used: int) -> None:
    """Raise UsageError when an analyzer that needs `used` bytes to start would reach the limit at which it recycles."""
    if near_limit(used, size):
        raise too_small(size, used)


def too_small(size: int, used: int) -> UsageError:
    """Return the error for a limit of `size` bytes that is too low to start; `used` bytes are needed at least."""
    least = max(SMALLEST_BYTES, int((used + STARTUP_BYTES) / RECYCLE_SHARE))
    return UsageError(
        f"--memory-limit {size >> 20}Mi: the analyzer needs {used >> 20} MiB before its first record, and restarts at "
        f"{RECYCLE_SHARE:.0%} of the limit; give {-(-least // ROUNDED) * ROUNDED >> 20}Mi or more"
    )


def near_limit(used: int, size: int) -> bool:
    """Return whether `used` bytes of data are so close to the limit `size` that the process must be recycled."""
    return bool(size) and used >= RECYCLE_SHARE * size
