"""Decides which processes and folders the channel trusts: those of this user, and of root.

The kernel supplies the user of a peer (SO_PEERCRED) and of a file, so that neither can be forged. Both ends check:
the analyzer, so that no other user feeds records to it; the proxy, so that no other user reads them from a socket file
that replaced the real one.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path

from ..system.ownership import is_own, require_own
from . import PAGE_FILE, SETTINGS_FILE

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_OPEN_TO_OTHERS = 0o077
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid


def untrusted_peer(connection: socket.socket) -> str:
    """Return why the process at the other end of a Unix socket is not trusted; "" if it is trusted."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    if is_own(uid):
        return ""
    return (
        f"channel: the peer's user is {uid}, this process runs as {os.geteuid()}; only the same user or root may "
        "connect; run proxy and analyzer as one user"
    )


def secure_folder(folder: Path) -> None:
    """Close the channel's folder to other users; raise UsageError if one owns it or a file in it, OSError without it.

    The mode becomes 0700 if this user owns the folder, and the folder is empty or already used by a channel. A folder
    with other content keeps its mode, because other programs may need it. So does a folder of root, such as a volume of
    a pod: only the containers that mount it reach it.
    """
    require_own(folder, "--shared")
    status = os.stat(folder)
    mode = stat.S_IMODE(status.st_mode)
    shared_by_all = mode & stat.S_ISVTX  # such as /tmp
    if mode & _OPEN_TO_OTHERS and not shared_by_all and status.st_uid == os.geteuid() and _is_ours(folder):
        os.chmod(folder, FOLDER_MODE)


def _is_ours(folder: Path) -> bool:
    names = set(os.listdir(folder))
    return not names or not names.isdisjoint((PAGE_FILE, SETTINGS_FILE))
