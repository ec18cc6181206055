"""Targets for the tests of the recommender: facts from a few numbers, and a target that follows recommendations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pilotfish.sidecar.control.scale.facts import ExternalFact, PodFacts, Sample, ScaleFacts
from pilotfish.sidecar.control.scale.plan import PlanSignal, ScalePlan
from pilotfish.sidecar.control.scale.recommender import Recommendation, recommend
from pilotfish.sidecar.control.scale.state import ScaleState, scaled

BEGIN = 1.8e9
CONCURRENCY = PlanSignal("concurrency", "average", 5.0)
LATENCY = PlanSignal("latency", "latency", 0.2, quantile=0.95)


def plan_of(*signals: PlanSignal, least: int = 1, most: int = 20, **settings: Any) -> ScalePlan:
    """Return a plan with the signal concurrency, if no other is given, and the defaults of autoscaling/v2."""
    return replace(ScalePlan(min_replicas=least, max_replicas=most, signals=signals or (CONCURRENCY,)), **settings)


def pod(name: str, now: float, *, age: float = 86400.0, answering: bool = True, **values: float) -> PodFacts:
    """Return a running pod of `age` seconds with values by signal."""
    return PodFacts(
        uid=f"uid-{name}",
        name=name,
        phase="Running",
        ready=answering,
        ready_changed_at=now - age / 2,
        created_at=now - age,
        started_at=now - age,
        answering=answering,
        values={signal: Sample(value, now) for signal, value in values.items()},
    )


def facts_of(
    pods: Sequence[PodFacts], now: float, *, replicas: int | None = None, saturated: tuple[str, ...] = ()
) -> ScaleFacts:
    """Return the facts of a target with these pods, by default with as many replicas."""
    number = len(pods) if replicas is None else replicas
    return ScaleFacts(spec_replicas=number, status_replicas=number, pods=tuple(pods), at=now, saturated=saturated)


def even(count: int, now: float, **totals: float) -> ScaleFacts:
    """Return the facts of `count` answering replicas that share totals evenly; the latency is the same for each."""
    shares = {name: Sample(total if name == "latency" else total / count, now) for name, total in totals.items()}
    return facts_of([replace(pod(f"p{number}", now), values=shares) for number in range(count)], now)


@dataclass
class Target:
    """A target that follows each recommendation at once; its replicas answer after `startup` seconds.

    `load` returns the requests in flight of all replicas at a time since the start.
    """

    plan: ScalePlan
    load: Callable[[float], float]
    replicas: int = 1
    startup: float = 0.0
    latency: Callable[[int], float] | None = None
    now: float = BEGIN
    state: ScaleState = field(default_factory=ScaleState)
    created: list[float] = field(default_factory=list)
    external: Callable[[float], tuple[ExternalFact, ...]] = lambda _now: ()
    saturated: tuple[str, ...] = ()
    changes: list[tuple[float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.created = [self.now - 86400.0] * self.replicas

    def facts(self) -> ScaleFacts:
        """Return the facts now: the load is shared by the replicas that answer."""
        answering = [self.now - created >= self.startup for created in self.created]
        count = max(1, sum(answering))
        load = self.load(self.now - BEGIN)
        values = {"concurrency": load / count, "requestRate": load / count}
        if self.latency is not None:
            values["latency"] = self.latency(count)
        pods = [
            replace(
                pod(
                    f"p{number}-{created:.0f}",
                    self.now,
                    age=self.now - created,
                    answering=answers,
                    **(values if answers else {"concurrency": 0.0, "requestRate": 0.0}),
                ),
                ready_changed_at=created + self.startup if answers else created,
            )
            for number, (created, answers) in enumerate(zip(self.created, answering, strict=True))
        ]
        return ScaleFacts(
            spec_replicas=self.replicas,
            status_replicas=self.replicas,
            pods=tuple(pods),
            external=self.external(self.now),
            saturated=self.saturated,
            at=self.now,
        )

    def step(self) -> Recommendation:
        """Let one interval pass, and follow the recommendation at its end."""
        self.now += self.plan.interval
        found, self.state = recommend(self.plan, self.facts(), self.state, self.now)
        if found.desired != self.replicas:
            self.changes.append((self.now, self.replicas, found.desired))
            self.state = scaled(self.state, self.replicas, found.desired, self.now)
            self.created = [*self.created, *[self.now] * (found.desired - self.replicas)][: found.desired]
            self.replicas = found.desired
        return found

    def run(self, seconds: float) -> list[Recommendation]:
        """Let `seconds` pass."""
        return [self.step() for _ in range(int(seconds / self.plan.interval))]
