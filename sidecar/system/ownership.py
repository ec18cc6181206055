"""The check of a folder that holds state: its files belong to this user, and none is a symbolic link.

Another user who can create files there could make Pilotfish read foreign state, or overwrite a file elsewhere through a
link. Root may own the folder and its files, as in a fresh volume of Kubernetes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError, quote_value


def is_own(uid: int) -> bool:
    """Return whether `uid` is this user or root, who can read the memory of this process in any case."""
    return uid in {0, os.geteuid()}


def require_own(folder: Path, flag: str) -> None:
    """Raise UsageError unless this user or root owns the folder and its files, and no file is a symbolic link.

    `flag` is the option that names the folder. A link that leads to the folder may exist if this user or root owns it.
    Raises OSError if the folder cannot be read.
    """
    for path, found in _entries(folder):
        if not is_own(found.st_uid):
            raise UsageError(
                f"cannot use the {flag} folder {quote_value(folder)}: {quote_value(path)} belongs to user "
                f"{found.st_uid}, and Pilotfish runs as user {os.geteuid()}; change its owner, or give another folder"
            )
        if path != folder and stat.S_ISLNK(found.st_mode):
            raise UsageError(
                f"cannot use the {flag} folder {quote_value(folder)}: {quote_value(path)} is a symbolic link; "
                "replace it by its target, or give another folder"
            )


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    yield folder, os.lstat(folder)
    yield folder, os.stat(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                yield folder / entry.name, entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # another process replaced a file
                continue
