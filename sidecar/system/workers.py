"""A pool of threads that all run before the first call is submitted, for processes with a limit on their memory.

`Thread.start` waits until the new thread runs. If memory runs out in between, the thread ends first, and the caller
waits for ever. So a process that may run out of memory must start its threads while it has enough.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

STACK_BYTES = 2 * 1024 * 1024  # of a thread; the default of 8 MiB counts towards RLIMIT_DATA


def started_pool(threads: int) -> ThreadPoolExecutor:
    """Return an executor whose `threads` threads have started; it never starts another one."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pool")
    barrier = threading.Barrier(threads)
    before = threading.stack_size(STACK_BYTES)
    try:
        wait([pool.submit(barrier.wait) for _ in range(threads)])
    finally:
        threading.stack_size(before)
    return pool
