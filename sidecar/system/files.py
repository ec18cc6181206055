"""Atomic replacement of files, complete writes, and fsync.

Every file that a reader or a restart needs whole is written with `replace_file`, or with `staged` if the writer needs a
path. Do not write such a file in place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAGED_SUFFIX = ".new"
DEFAULT_MODE = 0o666  # before the umask, as in open(2)


def replace_file(path: Path, content: bytes, *, durable: bool = False, mode: int | None = None) -> None:
    """Replace the file `path` by `content` atomically; on OSError the old file stays unchanged.

    `durable` syncs the file and its folder before the call returns. `mode` sets the permissions; with None, the umask
    applies.
    """
    with staged(path, durable=durable, mode=mode) as fresh:
        fresh.write_bytes(content)


@contextmanager
def staged(path: Path, *, durable: bool = False, mode: int | None = None) -> Iterator[Path]:
    """Yield the path of an empty file beside `path`; it replaces `path` when the block ends without an error.

    After an error in the block, the new file is removed and the old one stays.
    """
    fresh = staged_path(path)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(fresh, flags, DEFAULT_MODE if mode is None else mode))
        if mode is not None:
            os.chmod(fresh, mode)  # a file left by an earlier crash would keep its mode
        yield fresh
        if durable:
            sync_path(fresh)
        os.replace(fresh, path)
        if durable:
            sync_path(path.parent)
    except BaseException:
        with suppress(OSError):  # if writing fails, removing may fail, too
            os.unlink(fresh)
        raise


def staged_path(path: Path) -> Path:
    """Return the path of the file that holds the new content of `path` before it replaces the old file."""
    return path.with_name(path.name + STAGED_SUFFIX)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`; raise OSError if the disk accepts only a part."""
    rest = memoryview(content)
    while rest:  # after a partial write on a full disk, the next call raises the error
        rest = rest[os.write(descriptor, rest) :]


def sync_path(path: Path) -> None:
    """Write the file or folder at `path` to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
