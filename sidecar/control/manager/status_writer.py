"""Writes the status of one monitor: once for each change, and not more often than each few seconds.

A write carries the resourceVersion of the object that it was computed from. A conflict is no error: the mirror brings
the newer object, and the status is computed again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ...kube.errors import ConflictError, KubeError, NotFoundError, NotLeaderError
from .conditions import MonitorView
from .key import MonitorKey
from .status import build_status, differs, only_growth, only_words
from .world import Item, World

_LOG = logging.getLogger("pilotfish.control")
INTERVAL = 2.0  # seconds between two writes
MIRRORED = 10.0  # seconds after which the mirror should have brought what was written
LONGEST_WAIT = 60.0  # seconds after repeated failures
WORDS = 60.0  # seconds between two writes if only messages have changed, such as the present values of signals
GROWTH = 600.0  # seconds between two writes if only the history of measurements has grown
FIELDS = ("observedGeneration", "conditions", "episodes", "pods", "profile", "replicas", "resources")


@dataclass
class StatusWriter:
    """Writes the status of the monitor `key`. `problem` is why the last write failed, empty if it succeeded."""

    key: MonitorKey
    world: World
    problem: str = ""
    _next_at: float = float("-inf")
    _failures: int = 0
    _written: str = ""  # resourceVersion of the object that was replaced last
    _seen_by: float = float("-inf")
    _changed_at: float = float("-inf")

    async def write(self, item: Item, view: MonitorView) -> None:
        """Write the status of `view` into `item` if it differs from the present one."""
        now = self.world.monotonic()
        version = item["metadata"].get("resourceVersion", "")
        unseen = version == self._written and now < self._seen_by
        if now < self._next_at or unseen:  # unseen: the mirror has not brought the last write yet
            return
        built = build_status(view, item.get("status"), self.world.clock())
        if not differs(built, item.get("status"), FIELDS):
            return
        present, waited = item.get("status"), now - self._changed_at
        if (waited < WORDS and only_words(built, present)) or (waited < GROWTH and only_growth(built, present)):
            return
        wait = INTERVAL
        try:
            await self.world.write_status(item, built)
            self._written, self._seen_by, self._changed_at = version, now + MIRRORED, now
            self.problem, self._failures = "", 0
        except (ConflictError, NotFoundError, NotLeaderError):
            self._failures = 0
        except KubeError as error:
            self._failures += 1
            wait = error.retry_after or min(LONGEST_WAIT, INTERVAL * 2.0 ** min(self._failures, 10))
            if str(error) != self.problem:
                _LOG.warning("monitor %s: the status was not written: %s", self.key, error)
            self.problem = str(error)
        self._next_at = self.world.monotonic() + wait
