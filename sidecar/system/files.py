"""Files that a reader or a restart finds whole: atomic replacement, complete writes, fsync.

All writers of small files use `replace_file`; one that needs a path to write to uses `staged`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STAGED_SUFFIX = ".new"
DEFAULT_MODE = 0o666  # less the umask, as open(2) does


def replace_file(path: Path, content: bytes, *, durable: bool = False, mode: int | None = None) -> None:
    """Replace the file at `path` by `content` atomically; on OSError the old file is untouched.

    `durable` syncs the file and its folder first. `mode` sets the permissions; None leaves them to the umask.
    """
    with staged(path, durable=durable, mode=mode) as fresh:
        fresh.write_bytes(content)


@contextmanager
def staged(path: Path, *, durable: bool = False, mode: int | None = None) -> Iterator[Path]:
    """Yield the path of an empty file beside `path`, which replaces it when the block ends without an error.

    An error in the block removes the new file and leaves the old one.
    """
    fresh = staged_path(path)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        os.close(os.open(fresh, flags, DEFAULT_MODE if mode is None else mode))
        if mode is not None:
            os.chmod(fresh, mode)  # a file that an earlier crash left keeps its mode otherwise
        yield fresh
        if durable:
            sync_path(fresh)
        os.replace(fresh, path)
        if durable:
            sync_path(path.parent)
    except BaseException:
        with suppress(OSError):  # what cannot be written may be impossible to remove, too
            os.unlink(fresh)
        raise


def staged_path(path: Path) -> Path:
    """Return where the new content of `path` is written before it replaces the file."""
    return path.with_name(path.name + STAGED_SUFFIX)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`; OSError when the disk takes only a part."""
    rest = memoryview(content)
    while rest:  # a disk that takes a part fails the next call with the reason
        rest = rest[os.write(descriptor, rest) :]


def sync_path(path: Path) -> None:
    """Write the file or folder at `path` to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
