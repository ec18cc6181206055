"""Logs the clients that the proxy refuses for a reason of its own: the line that explains a reset connection."""

from __future__ import annotations

import logging

from .reactor import SECOND, Reactor

_LOG = logging.getLogger("pilotfish.proxy")
INTERVAL = 60 * SECOND  # between two lines of one reason

LIMIT = "as many connections as allowed are open; raise --max-connections, or the limit of open files"
DESCRIPTORS = "no descriptor is free; raise the limit of open files"
WAITING = "no descriptor is free, not even to reset it, so it waits; raise the limit of open files"


class RefusalLog:
    """Writes a line at the first refusal, and one per minute with the number of those since the last line."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._unlogged: dict[str, int] = {}  # by reason, while its lines are held back

    def note(self, why: str) -> None:
        """Count a refusal for one of the reasons above, and log it now or within a minute."""
        if why in self._unlogged:
            self._unlogged[why] += 1
            return
        _LOG.warning("a client is not served: %s", why)
        self._hold_back(why)

    def _hold_back(self, why: str) -> None:
        self._unlogged[why] = 0
        self._reactor.call_later(INTERVAL, lambda: self._release(why))

    def _release(self, why: str) -> None:
        number = self._unlogged.pop(why)
        if number:
            _LOG.warning("%d more clients were not served in the last minute: %s", number, why)
            self._hold_back(why)
