"""Pods whose requests share a number of cores, and whose memory has a limit.

A pod with `cores` serves all its requests at once. They share the cores, and each uses at most `parallelism` of them:
processor sharing with a limit, whose number of requests is that of a birth and death process with the death rates
`min(requests * parallelism, cores)`, whatever the distribution of the work (Kleinrock, Queueing Systems II, 4.4). The
number follows the load as in `queueing`: pointwise stationary fluid flow, in steps of STEP seconds.

The limit of the CPU is a multiple of the request, and that of the memory is the request. Memory above it kills the
container, which serves again after the start-up time, with the limit of then. The node makes a resize within a step.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..plant import STEP
from ..queueing import Curve

LAST = 1e-5  # of the cores that is free at the end of the tables
MOST_SERVERS = 256
GIVES_UP = 60.0  # seconds: the timeout of clients


@dataclass(frozen=True, slots=True)
class SharingQueue:
    """The tables of a pod: `after` maps requests and arrivals of a step to the requests at its end.

    `busy` maps requests to the share of the cores in use, `throttled` to the share of time in which they want more.
    """

    after: Curve
    busy: Curve
    throttled: Curve


@lru_cache(maxsize=4096)
def sharing_queue(millicores: int, seconds: float, parallelism: float) -> SharingQueue:
    """Return the tables of a pod whose requests take `seconds` of CPU."""
    cores = max(millicores, 1) / 1000.0
    free = np.concatenate([np.linspace(1.0, 0.1, 100), np.logspace(-1, np.log10(LAST), 200)[1:]])
    use = 1.0 - free
    offered = use * cores / parallelism
    full = min(int(cores / parallelism + 1e-9), MOST_SERVERS)  # requests that the cores serve at full speed
    term = np.ones_like(use)
    total, weighted = term.copy(), np.zeros_like(use)
    for count in range(1, full + 1):
        term = term * offered / count
        total, weighted = total + term, weighted + count * term
    beyond = term * use / free
    throttled = beyond / (total + beyond)
    inside = np.maximum.accumulate((weighted + beyond * (full + 1.0 / free)) / (total + beyond))
    xs = inside.tolist()
    entered = (inside + STEP * cores / seconds * use).tolist()
    return SharingQueue(Curve(entered, xs, 1.0), Curve(xs, use.tolist()), Curve(xs, throttled.tolist()))


class PodStep(NamedTuple):
    """One step of a pod: cores in use, requests in it, completed and given up, mean latency, and throttled share."""

    cpu: float
    inside: float
    completed: float
    given_up: float
    latency: float
    throttled: float


@dataclass(slots=True)
class SimulatedPod:
    """One pod: what its spec requests and what its node has allocated (cores, bytes), and its requests in flight."""

    uid: str
    cpu: float
    memory: float
    limit_ratio: float = 1.0
    allocated: float = 0.0
    inside: float = 0.0
    down_until: float = 0.0
    resized_at: float = -1e9
    killed_at: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque([0.0] * round(GIVES_UP / STEP)))

    def __post_init__(self) -> None:
        self.allocated = self.cpu

    def step(self, arrived: float, seconds: float, parallelism: float, now: float) -> PodStep:
        """Let `arrived` requests of `seconds` of CPU come in the STEP seconds from `now`."""
        self.allocated = self.cpu
        self._recent.popleft()
        self._recent.append(arrived)
        total = self.inside + arrived
        serving = now >= self.down_until
        cores = self.allocated * self.limit_ratio
        queue = sharing_queue(round(cores * 1000), seconds, parallelism)
        after = queue.after(total) if serving else total
        self.inside = min(after, sum(self._recent))
        if not serving:
            return PodStep(0.0, self.inside, 0.0, after - self.inside, GIVES_UP, 0.0)
        completed, busy = max(0.0, total - after), queue.busy(self.inside)
        alone = seconds / min(cores, parallelism)
        rate = busy * cores / seconds
        latency = max(alone, self.inside / rate) if rate > 0.0 else alone
        return PodStep(
            completed * seconds / STEP,
            self.inside,
            completed,
            after - self.inside,
            min(latency, GIVES_UP),
            queue.throttled(self.inside),
        )

    def step_closed(self, clients: float, seconds: float, parallelism: float, now: float) -> PodStep:
        """Let a number of clients send a request each time the one before is answered, for STEP seconds from `now`."""
        self.allocated = self.cpu
        cores = self.allocated * self.limit_ratio
        self.inside = clients
        used = min(cores, clients * parallelism)
        if now < self.down_until or not used:
            return PodStep(0.0, clients, 0.0, 0.0, GIVES_UP if clients else 0.0, 0.0)
        throttled = float(clients * parallelism > cores)
        return PodStep(used, clients, used * STEP / seconds, 0.0, clients * seconds / used, throttled)

    def kill(self, until: float, now: float) -> None:
        """Let the container be killed for its memory, and serve again at `until`; its requests fail."""
        self.down_until, self.killed_at, self.inside = until, now, 0.0
