"""Who decides on the resources in a replay: the recommender of a document, a pool, and what they are compared with.

Rules about when a request changes are those of the controller (`control.resize.wish`), with the document's cooldown for
each pod and its actions an hour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

from ...control.resize.plan import ResizePlan
from ...control.resize.pool.book import SharedPool
from ...control.resize.pool.member import PoolLoad, PoolMember, PoolPod
from ...control.resize.recommender import ResourceRecommendation, observe, recommend
from ...control.resize.state import ResizeState
from ...control.resize.usage import ContainerUsage, OomKill
from ...control.resize.wish import AT_ONCE, MOVED, ResizeWish, find_wish, target_of
from ...podspec.amounts import Kind
from ...podspec.bounds import STEPS
from ...settings.resources import CpuRange, MemoryRange, Resources
from .plant import SimulatedPod

HOUR = 3600.0
UNIT: Mapping[Kind, float] = {"cpu": 1000.0, "memory": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFacts:
    """What a controller observes of one monitor since the decision before.

    `latency` is a mean in seconds. `wanted` are the cores that each pod would have used without a limit, which only a
    simulation has.
    """

    pods: Sequence[SimulatedPod]
    usages: Sequence[ContainerUsage] = ()
    kills: Sequence[OomKill] = ()
    load: PoolLoad | None = None
    latency: float | None = None
    wanted: float = 0.0


class ResourcePolicy(Protocol):
    """Decides every `interval` seconds on the requests of the pods of all monitors, and makes the changes."""

    interval: float

    def decide(self, facts: Mapping[str, UsageFacts], now: float) -> None:
        """Change `cpu` and `memory` of the pods as of `now`, and count it in `resizes`."""
        ...

    @property
    def resizes(self) -> Mapping[str, int]:
        """The number of changes by monitor."""
        ...


@dataclass(slots=True)
class DocumentSeat:
    """One document with the state of its recommender, and its limits that depend on time."""

    settings: Resources
    plan: ResizePlan
    state: ResizeState = field(default_factory=ResizeState)
    resizes: int = 0
    _recent: deque[float] = field(default_factory=deque)

    def recommended(self, facts: UsageFacts, now: float) -> ResourceRecommendation:
        """Return the recommendation with what was observed up to `now`."""
        self.state = observe(self.state, self.plan, facts.usages, facts.kills, now, facts.latency)
        return recommend(self.plan, self.state, now)

    def apply(self, pod: SimulatedPod, wish: ResizeWish, now: float) -> None:
        """Change a pod as the wish says, unless its cooldown or the actions an hour prevent it."""
        while self._recent and self._recent[0] <= now - HOUR:
            self._recent.popleft()
        at_once = wish.urgent or wish.why in AT_ONCE
        early = now - pod.resized_at < self.settings.cooldown and not at_once
        if not wish.target or early or (len(self._recent) >= self.settings.actions_per_hour and not wish.urgent):
            return
        pod.cpu = float(wish.target.get("cpu", Fraction(pod.cpu)))
        pod.memory = float(wish.target.get("memory", Fraction(pod.memory)))
        pod.resized_at = now
        self._recent.append(now)
        self.resizes += 1


class _Documents:
    """What all policies have in common."""

    def __init__(self, documents: Mapping[str, Resources]) -> None:
        self.interval = min(settings.interval for settings in documents.values())
        self.seats = {name: DocumentSeat(settings, ResizePlan.of(settings)) for name, settings in documents.items()}

    @property
    def resizes(self) -> Mapping[str, int]:
        """The number of changes by monitor."""
        return {name: seat.resizes for name, seat in self.seats.items()}

    def _wish(
        self,
        pod: SimulatedPod,
        found: ResourceRecommendation,
        target: Mapping[Kind, Fraction],
        now: float,
        *,
        withheld: Sequence[str] = (),
        pooled: bool = False,
    ) -> ResizeWish:
        requests: dict[Kind, Fraction] = {"cpu": _fraction("cpu", pod.cpu), "memory": _fraction("memory", pod.memory)}
        return find_wish(
            requests,
            found,
            target,
            withheld=withheld,
            pooled=pooled,
            changed_at=pod.resized_at,
            killed_at=pod.killed_at,
            now=now,
        )


class UnchangedPolicy(_Documents):
    """Requests stay as they are at the start; with `memory`, the memory follows the recommendation."""

    def __init__(self, documents: Mapping[str, Resources], *, memory: bool = False) -> None:
        super().__init__(documents)
        self._memory = memory

    def decide(self, facts: Mapping[str, UsageFacts], now: float) -> None:
        """Change at most the memory."""
        for name, seat in self.seats.items() if self._memory else ():
            found = seat.recommended(facts[name], now)
            for pod in facts[name].pods:
                wish = self._wish(pod, found, target_of(found, seat.settings), now, withheld=("cpu",))
                seat.apply(pod, wish, now)


class DocumentPolicy(_Documents):
    """Each document by its own recommendation."""

    def decide(self, facts: Mapping[str, UsageFacts], now: float) -> None:
        """Change the requests by the recommendation of each document."""
        for name, seat in self.seats.items():
            found = seat.recommended(facts[name], now)
            for pod in facts[name].pods:
                seat.apply(pod, self._wish(pod, found, target_of(found, seat.settings), now), now)


class CappedPolicy(_Documents):
    """Each document by its own recommendation; CPU is cut in proportion to it if the sum is above the budget.

    These recommendations are of the use without a limit. Use that the cut has throttled would let them fall further.
    """

    def __init__(self, documents: Mapping[str, Resources], budget: float) -> None:
        super().__init__(documents)
        self._budget = budget

    def decide(self, facts: Mapping[str, UsageFacts], now: float) -> None:
        """Change the requests by the recommendations, within the budget."""
        free = {
            name: replace(one, usages=[replace(usage, cpu_cores=one.wanted) for usage in one.usages])
            for name, one in facts.items()
        }
        found = {name: seat.recommended(free[name], now) for name, seat in self.seats.items()}
        wanted = {name: one.target.get("cpu", 0.0) for name, one in found.items()}
        total = sum(wanted[name] * len(facts[name].pods) for name in wanted)
        part = min(1.0, self._budget / total) if total else 1.0
        targets = {name: Fraction(int(part * cores * UNIT["cpu"])) * STEPS["cpu"] for name, cores in wanted.items()}
        moved = any(
            target and abs(pod.cpu - float(target)) > MOVED * pod.cpu
            for name, target in targets.items()
            for pod in facts[name].pods
        )
        for name, seat in self.seats.items():
            target = target_of(found[name], seat.settings)
            if targets[name] and moved:
                target["cpu"] = targets[name]
            for pod in facts[name].pods:
                stays = () if moved else ("cpu",)
                wish = self._wish(pod, found[name], target, now, withheld=stays, pooled=True)
                seat.apply(pod, replace(wish, urgent=wish.urgent or moved), now)


class PoolPolicy(_Documents):
    """CPU by the pool, memory by the recommendation of each document."""

    def __init__(self, documents: Mapping[str, Resources], budget: float) -> None:
        super().__init__(documents)
        self.pool = SharedPool("simulated", budget)
        self.pool.expect(documents)

    def decide(self, facts: Mapping[str, UsageFacts], now: float) -> None:
        """Exchange with the pool, one monitor after the other."""
        for name, seat in self.seats.items():
            found, pods = seat.recommended(facts[name], now), facts[name].pods
            share = self.pool.exchange(name, _member(seat.settings, facts[name]), now)
            target = target_of(found, seat.settings)
            for pod in pods:
                target["cpu"] = _fraction("cpu", share.pods[pod.uid])
                seat.apply(pod, self._wish(pod, found, target, now, pooled=True), now)


def vertical(settings: Resources) -> Resources:
    """Return the document with the same bounds and the other settings as a VerticalPodAutoscaler has them."""
    cpu, memory = settings.cpu, settings.memory
    return Resources(
        container=settings.container,
        cpu=CpuRange(min=cpu.min, max=cpu.max, raise_when_throttled=False) if cpu is not None else None,
        memory=MemoryRange(min=memory.min, max=memory.max, after_oom_kill=0.0) if memory is not None else None,
        cooldown=settings.cooldown,
        actions_per_hour=settings.actions_per_hour,
        interval=settings.interval,
    )


def _member(settings: Resources, facts: UsageFacts) -> PoolMember:
    assert settings.cpu is not None
    return PoolMember(
        pods=tuple(PoolPod(uid=pod.uid, requested=pod.cpu, allocated=pod.allocated) for pod in facts.pods),
        minimum=settings.cpu.min,
        maximum=settings.cpu.max,
        load=facts.load,
        latency_target=settings.latency.target if settings.latency is not None else None,
    )


def _fraction(kind: Kind, amount: float) -> Fraction:
    """Return an amount in whole millicores or bytes."""
    return Fraction(round(amount * UNIT[kind])) / int(UNIT[kind])
