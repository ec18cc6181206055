"""A simulated model server with a known CPU cost for each request: the ground truth of attribution."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from pilotfish.sidecar.resources.attribution import Attribution

STEP = 1_000_000  # ns
SECOND = 10**9


@dataclass(frozen=True)
class Load:
    """Requests of one route: rate per second, CPU seconds of each, threads that it uses, seconds that it waits."""

    route: str
    rate: float
    cpu: float
    threads: int = 1
    waits: float = 0.0


@dataclass
class Result:
    """CPU ns: true cost by route, what was attributed, idle, measured."""

    true: dict[str, int]
    attributed: dict[str, int]
    idle: int
    measured: int


@dataclass
class _Request:
    load: Load
    left: float  # CPU ns
    waiting: float  # ns


def simulate(
    loads: Sequence[Load], *, cores: int, seconds: int, idle: float, noise: float, source: random.Random
) -> Result:
    """Serve Poisson arrivals by processor sharing and attribute windows of a second.

    `idle` is the CPU time per second that the server uses without requests; `noise` is the relative error of a sample.
    """
    attribution, running = Attribution(), list[_Request]()
    true = {load.route: 0 for load in loads}
    attributed = dict.fromkeys(true, 0)
    total_idle = total = 0
    used, in_flight = 0.0, dict.fromkeys(true, 0)
    for step in range(seconds * SECOND // STEP):
        for load in loads:
            if source.random() < load.rate * STEP / SECOND:
                running.append(_Request(load, load.cpu * SECOND, load.waits * SECOND))
        active = [request for request in running if request.waiting <= 0]
        wanted = sum(request.load.threads for request in active)
        speed = min(1.0, cores / wanted) if wanted else 0.0
        for request in running:
            in_flight[request.load.route] += STEP
            if request.waiting > 0:
                request.waiting -= STEP
                continue
            spent = min(request.left, STEP * speed * request.load.threads)
            request.left -= spent
            used += spent
            true[request.load.route] += round(spent)
        running = [request for request in running if request.left > 0]
        used += idle * STEP
        if (step + 1) % (SECOND // STEP) == 0:
            measured = round(used * source.gauss(1, noise))
            split = attribution.split(measured, SECOND, in_flight)
            for route, part in split.shares.items():
                attributed[route] += part
            total_idle += split.idle
            total += max(0, measured)
            used, in_flight = 0.0, dict.fromkeys(true, 0)
    return Result(true, attributed, total_idle, total)
