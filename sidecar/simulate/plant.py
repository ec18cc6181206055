"""A simulated service: replicas that start, serve and stop, in front of one shared queue.

Arrivals go to all ready replicas alike, and so do the requests that wait; `queueing` describes one replica. A new
replica is unready for its start-up time. A removed replica takes no more requests; its requests go to the others.
Unready replicas are removed first, then the youngest, as a ReplicaSet does. A request that is not answered within the
timeout of its client leaves the queue.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from .errors import PlantError
from .queueing import replica_queue

STEP = 5.0  # seconds: the interval of the signals


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service of a simulation; all times are seconds.

    `slots` is the number of requests that a replica serves at once, `target` and `quantile` are the service level: this
    share of the responses takes at most `target`. `gives_up_after` is the timeout of the clients.
    """

    service_time: float
    slots: int
    startup: float
    target: float
    quantile: float = 0.95
    gives_up_after: float = 60.0

    @property
    def capacity(self) -> float:
        """Requests per second that one replica can serve at most."""
        return self.slots / self.service_time


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica, by a number that no other one has, and the times of its creation and of its readiness."""

    number: int
    created_at: float
    ready_at: float


class StepResult(NamedTuple):
    """What happened in one step, `slow` and `latency` for the requests of this step.

    Requests in service and in the queue (`inside`), completed ones and those that the client gave up, the share of slow
    responses, and the utilization of the slots.
    """

    ready: int
    arrived: float
    completed: float
    given_up: float
    inside: float
    slow: float
    busy: float


class Plant:
    """The service at work. `step` advances it by STEP seconds; `scale` changes the number of its replicas."""

    def __init__(self, service: Service, replicas: int, now: float) -> None:
        _check(service)
        self.service = service
        self.queue = replica_queue(service.service_time, service.slots, STEP, service.target, service.quantile)
        self.replicas = [Replica(number, now - service.startup, now) for number in range(replicas)]
        self.inside = 0.0
        self._created = replicas
        self._ready = 0
        self._recent: deque[float] = deque([0.0] * max(1, round(service.gives_up_after / STEP)))
        self._arrived_recently = 0.0

    def scale(self, replicas: int, now: float) -> None:
        """Create or remove replicas so that there are `replicas`."""
        while len(self.replicas) < replicas:
            self.replicas.append(Replica(self._created, now, now + self.service.startup))
            self._created += 1
        del self.replicas[replicas:]  # the youngest are last, and are ready last
        self._ready = min(self._ready, replicas)

    def ready(self, now: float) -> int:
        """Return how many replicas serve requests; they come first in `replicas`. Time must not go back."""
        while self._ready < len(self.replicas) and self.replicas[self._ready].ready_at <= now:
            self._ready += 1
        return self._ready

    def step(self, arrived: float, now: float) -> StepResult:
        """Let `arrived` requests come in the STEP seconds from `now`."""
        ready = self.ready(now)
        total = self.inside + arrived
        self._arrived_recently += arrived - self._recent.popleft()
        self._recent.append(arrived)
        after = ready * self.queue.after(total / ready) if ready else total
        inside = self.inside = min(after, self._arrived_recently)  # the others are older than the timeout
        each = inside / ready if ready else 0.0
        return StepResult(
            ready,
            arrived,
            max(0.0, total - after),
            after - inside,
            inside,
            self.queue.slow(each) if ready else 1.0,
            self.queue.busy(each) if ready else 0.0,
        )


def _check(service: Service) -> None:
    """Raise PlantError for a service that cannot meet its service level with any number of replicas."""
    for name, value in (("service time", service.service_time), ("latency target", service.target)):
        if not 0 < value < 86_400:
            raise PlantError(f"{name} {value:g} s; give a duration of more than 0 and less than a day")
    if not 0 <= service.startup < 86_400 or not service.gives_up_after >= STEP:
        raise PlantError(
            f"start-up time {service.startup:g} s, timeout of clients {service.gives_up_after:g} s; give a start-up "
            f"time of less than a day and a timeout of at least {STEP:g} s"
        )
    if math.exp(-service.target / service.service_time) > 1.0 - service.quantile:
        needed = -math.log(1.0 - service.quantile) * service.service_time
        raise PlantError(
            f"the latency target {service.target:g} s is below the {service.quantile:g} quantile of the service time "
            f"alone, {needed:.3g} s; no number of replicas meets it; give a larger target or a shorter --service-time"
        )
