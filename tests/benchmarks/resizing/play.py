"""One pod whose requests and limits follow a recommender through a trace of use. Limits are a multiple of the requests.

CPU beyond the limit waits until the next minute, for a minute's worth at most; such a minute is throttled. Memory
beyond the limit is a kill: the container starts again, and the minute counts. A resize takes effect in the next minute,
after the cooldown of the document.
The rule of when to change is that of the VPA's updater (control/resize/wish.py), the same for all recommenders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from pilotfish.sidecar.control.resize.recommender import ResourceRecommendation
from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.control.resize.wish import AT_ONCE, find_wish, target_of
from pilotfish.sidecar.podspec.amounts import Kind
from pilotfish.sidecar.settings.resources import Resources
from tests.benchmarks.resizing.traces import MINUTE, UseTrace

START = 1_600_000_000.0
GIB = 2.0**30
TARGET, SLOW = 0.25, 1.0  # seconds of the latency quantile: wanted, and while work waits
POD, CONTAINER = "pod", "model"


class Recommender(Protocol):
    """What follows a pod: it takes what was measured and returns its recommendation."""

    settings: Resources

    def look(
        self, usage: ContainerUsage, kills: Sequence[OomKill], now: float, latency: float
    ) -> ResourceRecommendation: ...


@dataclass(frozen=True, slots=True)
class Played:
    """What a trace cost: hours of requests, minutes in which the pod was throttled or killed, and resizes."""

    core_hours: float
    gib_hours: float
    throttled: int
    killed: int
    resizes: int
    minutes: int


def watch(trace: UseTrace, recommender: Recommender, limit: float) -> float:
    """Return the CPU that is recommended at the end for a pod that nobody resizes, with this limit in cores."""
    waiting, target = 0.0, 0.0
    for index, cores in enumerate(trace.cores.tolist()):
        now, wanted = START + (index + 1) * MINUTE, cores + waiting
        used = min(wanted, limit)
        waiting = min(wanted - used, cores)
        usage = ContainerUsage(
            pod_uid=POD,
            container=CONTAINER,
            cpu_cores=round(used, 3),
            memory_bytes=None,
            throttled_ratio=waiting / wanted if wanted else 0.0,
            cpu_request=limit,
            cpu_limit=limit,
            at=now,
        )
        target = recommender.look(usage, (), now, SLOW if waiting else TARGET / 2).target["cpu"]
    return target


def play(trace: UseTrace, recommender: Recommender, ratio: float) -> Played:
    """Return what the pod cost, with limits of `ratio` times the requests.

    It starts with its largest use as the request, as one that was sized with care.
    """
    requests: Mapping[Kind, Fraction] = {
        "cpu": Fraction(round(float(trace.cores.max()) * 1000) + 1, 1000),
        "memory": Fraction(round(float(trace.memory.max())) + 1),
    }
    waiting = core_hours = gib_hours = changed_at = killed_at = 0.0
    throttled = killed = resizes = 0
    for index, (cores, memory) in enumerate(zip(trace.cores.tolist(), trace.memory.tolist(), strict=True)):
        now = START + (index + 1) * MINUTE
        core_hours += float(requests["cpu"]) / 60
        gib_hours += float(requests["memory"]) / GIB / 60
        limit, room = float(requests["cpu"]) * ratio, float(requests["memory"]) * ratio
        wanted = cores + waiting
        used = min(wanted, limit)
        waiting = min(wanted - used, cores)
        throttled += waiting > 0
        kills = []
        if memory > room:
            killed, killed_at = killed + 1, now
            kills = [OomKill(pod_uid=POD, container=CONTAINER, memory_bytes=room, at=now)]
        usage = ContainerUsage(
            pod_uid=POD,
            container=CONTAINER,
            cpu_cores=round(used, 3),
            memory_bytes=int(min(memory, room)),
            throttled_ratio=waiting / wanted if wanted else 0.0,
            cpu_request=float(requests["cpu"]),
            cpu_limit=limit,
            at=now,
        )
        found = recommender.look(usage, kills, now, SLOW if waiting else TARGET / 2)
        wish = find_wish(
            requests,
            found,
            target_of(found, recommender.settings),
            changed_at=changed_at,
            killed_at=killed_at,
            now=now,
        )
        at_once = wish.urgent or wish.why in AT_ONCE
        if wish.target and (at_once or now - changed_at >= recommender.settings.cooldown):
            requests, changed_at, resizes = {**requests, **wish.target}, now, resizes + 1
    return Played(core_hours, gib_hours, throttled, killed, resizes, len(trace.cores))
