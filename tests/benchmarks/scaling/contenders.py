"""The algorithms, and what one of them does with one trace. Both have one parameter: the target of concurrency."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from pilotfish.sidecar.control.scale.facts import ScaleFacts
from pilotfish.sidecar.control.scale.plan import ScalePlan
from pilotfish.sidecar.settings.scaling import ConcurrencySignal, Forecast, LatencySignal, Scaling
from pilotfish.sidecar.simulate.outcome import Outcome
from pilotfish.sidecar.simulate.plant import Service as SimulatedService
from pilotfish.sidecar.simulate.play import Played, first_replicas, play
from pilotfish.sidecar.simulate.policies import RecommenderPolicy, ReplicaDecision, horizontal_plan
from tests.benchmarks.scaling.traces import DAY, FrozenTrace
from tests.support.horizontal import Horizontal, running_horizontal

HPA, PILOTFISH = "HPA", "Pilotfish"
COMPILED = "HorizontalController"  # of Kubernetes, compiled from its module; HPA: the recommender without extensions
CONTENDERS = (HPA, PILOTFISH)
TARGETS = (0.8, 0.9, 1.0)  # requests in flight for each request that a replica serves at once
WEEK = 7 * DAY
QUANTILE = 0.95


@dataclass(frozen=True)
class Run:
    """One algorithm on one trace; `ideal` is the pod-hours of replicas that are always wholly busy."""

    trace: str
    kind: str
    half: str
    contender: str
    target: float
    missed: int
    judged: int
    pod_hours: float
    ideal: float
    changes: int
    reversals: int
    given_up: float


def scaling_of(trace: FrozenTrace, target: float) -> Scaling:
    """Return the block of a document: the bounds of the service, the target, and defaults."""
    service = trace.service
    return Scaling(
        min_replicas=service.minimum,
        max_replicas=service.maximum,
        signals=(
            ConcurrencySignal(target=target * service.slots),
            LatencySignal(target=service.target, quantile=QUANTILE),
        ),
        forecast=Forecast(period=DAY if trace.load.seconds < WEEK else WEEK),
    )


class CompiledPolicy:
    """The HorizontalController of Kubernetes, which keeps the replicas that it set itself."""

    interval = 15.0

    def __init__(self, controller: Horizontal) -> None:
        self._controller = controller

    def decide(self, facts: ScaleFacts) -> ReplicaDecision:
        answer = self._controller.step(facts)
        return ReplicaDecision(answer.replicas, answer.reason, "")

    def applied(self, before: int, after: int, at: float) -> None:
        pass


def played(trace: FrozenTrace, contender: str, target: float) -> tuple[Played, SimulatedService]:
    """Return what an algorithm does with a trace. The arrivals are the same for all."""
    service = SimulatedService(
        service_time=trace.service.service_time,
        slots=trace.service.slots,
        startup=trace.service.startup,
        target=trace.service.target,
        quantile=QUANTILE,
    )
    scaling = scaling_of(trace, target)
    first = first_replicas(trace.load, service, scaling.min_replicas, scaling.max_replicas)
    if contender == COMPILED:
        with running_horizontal() as controller:
            controller.begin(scaling, first, trace.load.start)
            return play(trace.load, service, CompiledPolicy(controller), first, seed=16), service
    plan = ScalePlan.of(scaling)
    policy = RecommenderPolicy(horizontal_plan(plan) if contender == HPA else plan)
    return play(trace.load, service, policy, first, seed=16), service


def run(trace: FrozenTrace, contender: str, target: float) -> dict[str, object]:
    """Return the figures of an algorithm on a trace, as a JSON object."""
    done, service = played(trace, contender, target)
    found = Outcome.of(done, service)
    seconds = np.trapezoid(trace.load.rates, trace.load.times) / service.capacity
    return asdict(
        Run(
            trace=trace.name,
            kind=trace.kind,
            half=trace.half,
            contender=contender,
            target=target,
            missed=found.missed_minutes,
            judged=found.judged_minutes,
            pod_hours=found.pod_hours,
            ideal=float(seconds) / 3600.0,
            changes=found.changes,
            reversals=found.reversals,
            given_up=found.given_up,
        )
    )
