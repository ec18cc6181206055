"""Scrapes during faults: counters never decrease, and the accounting identity holds in each scrape."""

from __future__ import annotations

import threading
from typing import Self

from tests.e2e.stack import Samples, Stack, accounted, total

MONOTONE = ("pilotfish_requests_total", "pilotfish_exchanges_total", "pilotfish_exchanges_seen_total", "pilotfish_rows")


class ScrapeChecker:
    """Scrapes in a thread, and checks each scrape against the accounting identity and the previous scrape.

    Without `exact`, the identity is not checked: a proxy that is killed may leave one exchange partly counted.
    """

    def __init__(self, stack: Stack, *, exact: bool = True, pause: float = 0.05) -> None:
        self._exact = exact
        self._pause = pause  # seconds between two scrapes; it bounds the load and waits for no event
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.scrapes = 0
        self.faults: list[str] = []

    def _run(self) -> None:
        before: Samples = {}
        while not self._stop.wait(self._pause):
            samples = self._stack.metrics()
            if samples:
                self.scrapes += 1
                self._check(samples, before)
                before = samples

    def _check(self, samples: Samples, before: Samples) -> None:
        seen = total(samples, "pilotfish_exchanges_seen_total")
        if self._exact and seen != accounted(samples):
            self.faults.append(f"seen {seen}, accounted {accounted(samples)}")
        if total(samples, "pilotfish_exchanges_queued") < 0:
            self.faults.append("queued is negative")
        for key, value in before.items():
            if key.startswith(MONOTONE) and samples.get(key, value) < value:
                self.faults.append(f"{key} went from {value} to {samples[key]}")
        # A series may end: the counters of a route without a slot of its own are added to `other`. The sum must not.
        for name in {key.partition("{")[0] for key in before if key.startswith(MONOTONE)}:
            if total(samples, name) < total(before, name):
                self.faults.append(f"the sum of {name} went from {total(before, name)} to {total(samples, name)}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
