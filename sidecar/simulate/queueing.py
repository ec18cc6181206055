"""The queue of one replica: requests in it, utilization, throughput and response times, as tables.

A replica serves up to `slots` requests at once, each for an exponential time, and queues the rest first come, first
served: M/M/c (Erlang 1917; Kleinrock, Queueing Systems I, 3.5). Load changes over time, so the number of requests
follows the pointwise stationary fluid flow approximation (Wang, Tipper and Banerjee, INFOCOM 1996): with x requests in
the replica it works at the utilization that a stationary queue with x requests on average has.

Each step solves x' + dt * slots / service_time * rho(x') = x + dt * arrivals for x', the implicit Euler method: stable
for every dt, x' is never negative, and it falls if replicas are added. Tables over the utilization give all of this.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import PlantError
from .trace import Floats

MAX_SLOTS = 4096
LAST = 1e-7  # of capacity that is free at the end of the tables
HALVINGS = 60  # of the bracket of a quantile


@dataclass(frozen=True)
class Curve:
    """A function that does not fall, by linear interpolation; beyond the last point it goes on with `slope`."""

    xs: Sequence[float]
    ys: Sequence[float]
    slope: float = 0.0

    def __call__(self, x: float) -> float:
        """Return the value at `x`; below the first point, the first value."""
        place = bisect_left(self.xs, x)
        if place == 0:
            return self.ys[0]
        if place == len(self.xs):
            return self.ys[-1] + self.slope * (x - self.xs[-1])
        x0, y0 = self.xs[place - 1], self.ys[place - 1]
        return y0 + (self.ys[place] - y0) * (x - x0) / (self.xs[place] - x0)


@dataclass(frozen=True)
class ReplicaQueue:
    """The tables of one replica for steps of `step` seconds.

    `after` maps (requests at the start of the step + arrivals in it) to the requests at its end. `slow` maps requests
    to the share of responses that take longer than the target; `latency` to the quantile of the response time, in
    seconds; `busy` to the share of the slots that are in use.
    """

    after: Curve
    busy: Curve
    slow: Curve
    latency: Curve


def replica_queue(service_time: float, slots: int, step: float, target: float, quantile: float) -> ReplicaQueue:
    """Return the tables of a replica; `service_time`, `step` and `target` are seconds. Raise PlantError."""
    if not 1 <= slots <= MAX_SLOTS:
        raise PlantError(f"{slots} requests at once: a replica serves 1 to {MAX_SLOTS}; give --concurrency-limit")
    free = np.concatenate([np.linspace(1.0, 0.1, 300), np.logspace(-1, np.log10(LAST), 500)[1:]])
    busy = 1.0 - free
    waiting = _waiting(slots, busy)
    inside = np.maximum.accumulate(slots * busy + waiting * busy / free)
    entered = inside + step * slots / service_time * busy
    latency = np.maximum.accumulate(_quantiles(quantile, waiting, free, slots, service_time))
    xs = inside.tolist()
    growth = service_time / slots  # of the response time, for each further request
    return ReplicaQueue(
        after=Curve(entered.tolist(), xs, 1.0),
        busy=Curve(xs, busy.tolist()),
        slow=Curve(xs, np.maximum.accumulate(_longer(target, waiting, free, slots, service_time)).tolist()),
        latency=Curve(xs, latency.tolist(), growth),
    )


def _waiting(slots: int, busy: Floats) -> Floats:
    """Return Erlang's C: the probability that a request waits, for each utilization, by the recursion of Erlang's B."""
    offered = slots * busy
    blocked = np.ones_like(busy)
    for served in range(1, slots + 1):
        blocked = offered * blocked / (served + offered * blocked)
    share: Floats = blocked / (1.0 - busy * (1.0 - blocked))
    return share


def _longer(seconds: float | Floats, waiting: Floats, free: Floats, slots: int, service_time: float) -> Floats:
    """Return P(response time > seconds): an exponential service, after an exponential wait if the request waits."""
    served, started = 1.0 / service_time, slots * free / service_time
    near = np.isclose(started, served, rtol=1e-6)
    started = np.where(near, started * (1.0 + 1e-5), started)
    both = (started * np.exp(-served * seconds) - served * np.exp(-started * seconds)) / (started - served)
    share: Floats = np.clip((1.0 - waiting) * np.exp(-served * seconds) + waiting * both, 0.0, 1.0)
    return share


def _quantiles(quantile: float, waiting: Floats, free: Floats, slots: int, service_time: float) -> Floats:
    """Return the quantile of the response time for each utilization, in seconds, by bisection."""
    low = np.zeros_like(free)
    high = -np.log(1.0 - quantile) * (service_time + service_time / (slots * free)) * 2.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        above = _longer(middle, waiting, free, slots, service_time) > 1.0 - quantile
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    ends: Floats = high
    return ends
