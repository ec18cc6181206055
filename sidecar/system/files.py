"""Atomic replacement of files, bounded reads, complete writes, fsync, and the one way to set a damaged file aside.

Every file that a reader or a restart needs whole is written with `replace_file`, or with `staged` if the writer needs a
path. Do not write such a file in place. Every file of a user or of a state folder is opened by `open_file` or read by
`read_file`, because a read of a FIFO would wait for ever, and one of a device would never end.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import quote_value

STAGED_SUFFIX = ".new"
REFUSED_SUFFIX = ".refused"
DEFAULT_MODE = 0o666  # before the umask, as in open(2)
_MOST_REFUSED = 9  # names for files set aside, if the first name belongs to a folder
READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_IN_THE_WAY = frozenset((errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST))
_UNUSABLE = frozenset(
    (
        errno.EACCES,
        errno.EFBIG,
        errno.EINVAL,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENODEV,
        errno.ENXIO,
        errno.EPERM,
    )
)


def require_regular(descriptor: int, most: int | None = None) -> int:
    """Return the size of an open regular file of at most `most` bytes; raise OSError for any other file."""
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if most is not None and status.st_size > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    return status.st_size


def open_file(path: Path, most: int | None = None, *, follow: bool = False) -> BinaryIO:
    """Open the regular file `path` of at most `most` bytes for reading; raise OSError for any other file.

    Files of users may be symbolic links, as in a ConfigMap: open them with `follow`. Opening never waits.
    """
    try:
        descriptor = os.open(path, READ_FLAGS | (0 if follow else os.O_NOFOLLOW))
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, "not a path") from error
    try:
        require_regular(descriptor, most)
    except OSError:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")


def read_file(path: Path, most: int, *, follow: bool = False) -> bytes:
    """Return the content of the regular file `path`, as `open_file` does, reading `most` bytes at most."""
    with open_file(path, most, follow=follow) as file:
        return file.read(most)


def require_replaceable(path: Path) -> None:
    """Raise OSError unless `path` is absent or a regular file: a device such as /dev/null must not be replaced."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, "it exists and is not a regular file")


def read_tail(path: Path, most: int, *, largest: int) -> bytes:
    """Return the last bytes of the regular file `path`, at most `most`; raise OSError for one larger than `largest`."""
    with open_file(path, largest) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most)


def is_unusable(error: OSError) -> bool:
    """Return whether the file is the cause of `error`, not the disk or this process: a retry would fail as well."""
    return error.errno in _UNUSABLE


def set_aside(path: Path) -> str:
    """Rename a damaged file, so that no start reads it again; return a text with the new path, or why it stays."""
    try:
        return f"it was renamed to {quote_value(move_aside(path))}"
    except OSError as error:
        return f"it cannot be renamed: {error.strerror}"


def move_aside(path: Path, successor: Path | None = None) -> Path:
    """Rename a damaged file, move `successor` to its place, and return the new path; raise OSError if that fails.

    An earlier file of the new name is replaced. A folder, FIFO or device is renamed, too.
    """
    for attempt in range(1, _MOST_REFUSED + 1):
        refused = path.with_name(f"{path.name}{REFUSED_SUFFIX}{attempt if attempt > 1 else ''}")
        try:
            os.replace(path, refused)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            continue
        if successor is not None:
            os.replace(successor, path)
        return refused
    raise OSError(errno.EEXIST, f"folders named {path.name}{REFUSED_SUFFIX} are in the way")


def remove_staged(folder: Path, patterns: Iterable[str]) -> None:
    """Remove what a killed process left of new files whose names match `patterns`; set a folder of such a name aside.

    Call it while no other process writes these files.
    """
    for pattern in patterns:
        for path in folder.glob(pattern + STAGED_SUFFIX):
            _clear(path)


def _clear(path: Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:
        set_aside(path)


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
        with suppress(FileNotFoundError):  # left by a crash, maybe with another mode, or a FIFO
            os.unlink(fresh)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(fresh, flags, DEFAULT_MODE if mode is None else mode))
        if mode is not None:
            os.chmod(fresh, mode)  # the umask may have removed bits
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


def write_at(descriptor: int, content: bytes, place: int) -> None:
    """Write all of `content` at the offset `place`; raise OSError if the disk accepts only a part."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, place)
        rest, place = rest[written:], place + written


def lock_file(descriptor: int, path: Path) -> None:
    """Lock an open file until it is closed; raise OSError if another process has locked or replaced it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another process has locked it") from error
    if os.stat(path).st_ino != os.fstat(descriptor).st_ino:
        raise OSError(errno.ESTALE, "another process replaced it during opening")


def sync_path(path: Path) -> None:
    """Write the file or folder at `path` to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
