"""Limits of the kernel, set for a test."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


def raise_descriptor_limit(wanted: int) -> int:
    """Allow this process `wanted` open descriptors, or as many as it may have; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


@contextmanager
def no_free_descriptor(pid: int = 0, *, least: int = 0) -> Iterator[None]:
    """Let this process, or the process `pid`, open nothing; the descriptors that it has stay usable.

    With `least`, the limit is that number: also a descriptor that it closes cannot be opened again.
    """
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    free = _own_next() if pid == 0 else _next_of(pid)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (least or free, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: the nearest thing to a full disk that needs no root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _own_next() -> int:
    """Return the number that the next descriptor of this process will have."""
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


def _next_of(pid: int) -> int:
    used = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    return next(number for number in count() if number not in used)
