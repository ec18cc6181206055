"""Reads the counter page again and again, and refuses counters that no proxy can have reached.

The checksum of the page finds damage at rest. While traffic runs, the counters change faster than the checksum, so the
reader compares each copy with the one before it: no counter decreases while a proxy runs, and none jumps.

A writer that stops in the middle of `CounterPage.replace_route` leaves some counters in two slots. So the routes of a
torn copy are those of the copy before it; otherwise their sums would increase and then decrease.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import quote_value
from . import layout as at
from .page import PageError, PageSnapshot, read_page

MOST_PER_SECOND = 10_000_000  # exchanges or connections; a proxy does a hundredth of it
MOST_BYTES_PER_SECOND = 10**13
SLACK_SECONDS = 10.0  # clocks, and a process that was stopped between two reads


class PageReader:
    """Reads the page at `path`; `clock` returns seconds. Not thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._last: tuple[PageSnapshot, float] | None = None  # the last plausible copy and its time

    def read(self) -> PageSnapshot:
        """Return a copy of the page; raise PageError if it cannot be read or its counters are not plausible."""
        snapshot, now = read_page(self._path), self._clock()
        if self._last is not None:
            before, then = self._last
            if reason := implausible(before, snapshot, now - then):
                raise PageError(
                    f"counter page {quote_value(self._path)} is damaged: {reason}; "
                    "stop the proxy, remove the file, and start the proxy again"
                )
            if snapshot.torn:
                snapshot = replace(snapshot, routes=before.routes)
        self._last = snapshot, now
        return snapshot


def implausible(before: PageSnapshot, after: PageSnapshot, elapsed: float) -> str:
    """Return why `after` cannot follow `before` within `elapsed` seconds; "" if it can. A new page starts from zero."""
    for name, old, new in _pairs(before, after):
        rate = MOST_BYTES_PER_SECOND if "bytes" in name else MOST_PER_SECOND
        if new - old > rate * (elapsed + SLACK_SECONDS):
            return f"the counter {name} jumped from {old} to {new}"
        if new < old and after.epoch == before.epoch:
            return f"the counter {name} went back from {old} to {new}"
    return ""


def _pairs(before: PageSnapshot, after: PageSnapshot) -> Iterator[tuple[str, int, int]]:
    for outcome, old in before.outcomes.items():
        yield "/".join(filter(None, outcome)), old, after.outcomes[outcome]
    for name in at.CONNECTIONS:
        if name not in at.CONNECTION_GAUGES:
            yield name, before.connections[name], after.connections[name]
    for reason, old in before.downgrades.items():
        yield reason, old, after.downgrades[reason]
