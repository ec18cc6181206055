"""Reads the signs of life of the supervisor's children: the analyzer process writes to a pipe, the proxy to a page."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..channel.layout import AT_HEARTBEAT
from .watchdog import SilenceLimits, Watchdog

HEARTBEAT_DESCRIPTOR = 3  # the end of the pipe in the analyzer process
_WORD = 8


@dataclass
class WatchedChild:
    """A watchdog with its source: `beaten` returns whether there was a sign of life since the last call."""

    beaten: Callable[[], bool]
    watchdog: Watchdog


class PageHeartbeat:
    """The heartbeat of the proxy, which it writes to its counter page twice a second."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._last = b""

    def beaten(self) -> bool:
        """Return whether the heartbeat has changed since the last call, or cannot be read: the proxy may run well."""
        before, self._last = self._last, self._read()
        return not self._last or (bool(before) and self._last != before)

    def _read(self) -> bytes:
        with suppress(OSError):
            descriptor = os.open(self._page, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                return os.pread(descriptor, _WORD, AT_HEARTBEAT * _WORD)
            finally:
                os.close(descriptor)
        return b""


def watched_proxy(page: Path) -> WatchedChild:
    """Return what watches a proxy. One that cannot write its page is not watched."""
    return WatchedChild(PageHeartbeat(page).beaten, Watchdog(SilenceLimits(start=None)))


def is_traced(pid: int) -> bool:
    """Return whether a debugger has stopped the process."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "t"
    return False
