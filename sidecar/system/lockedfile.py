"""Opens and locks a file of fixed size that one process writes in place: a lock, the counter page, the totals file."""

from __future__ import annotations

import os
from pathlib import Path

from .files import is_unusable, lock_file, require_regular, set_aside

MODE = 0o600
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def open_locked(path: Path) -> int:
    """Open or create the file at `path`, lock it, and return its descriptor; closing it releases the lock.

    What is no regular file, such as a folder, is set aside first. Raises OSError when the file cannot be opened or
    another process holds the lock.
    """
    descriptor = _open(path)
    try:
        lock_file(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def reopen_new(path: Path, descriptor: int) -> tuple[int, str]:
    """Set the damaged file at `path` aside, which `descriptor` has locked; return the descriptor of a new one.

    The second value says where the damaged file is.
    """
    where = set_aside(path)
    os.close(descriptor)
    return open_locked(path), where


def _open(path: Path) -> int:
    try:
        return _open_regular(path)
    except PermissionError:  # another process may hold the lock of this file, so it is not set aside
        os.chmod(path, MODE)
    except OSError as error:
        if not is_unusable(error) or path.is_symlink():
            raise
        set_aside(path)
    return _open_regular(path)


def _open_regular(path: Path) -> int:
    descriptor = os.open(path, _FLAGS, MODE)
    try:
        require_regular(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
