"""Random cases of scaling for the differential test: blocks of settings, and facts with the values that decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from pilotfish.sidecar.control.scale.facts import ExternalFact, Phase, PodFacts, Sample, ScaleFacts
from pilotfish.sidecar.control.scale.plan import PlanSignal, ScalePlan
from pilotfish.sidecar.settings.scaling import (
    ColdStart,
    ConcurrencySignal,
    CpuSignal,
    Forecast,
    MemorySignal,
    PrometheusSignal,
    RequestRateSignal,
    Scaling,
    ScalingBehavior,
    ScalingPolicy,
    ScalingRules,
    Signal,
)

BEGUN = 1.8e9
PHASES: tuple[Phase, ...] = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
# around the target, with the ends of the default tolerance, and far from it
LEVELS = (0.0, 0.3, 0.5, 0.8, 0.899, 0.9, 0.95, 1.0, 1.001, 1.05, 1.1, 1.101, 1.3, 2.0, 4.0, 11.0)


def random_scaling(random: Random) -> Scaling:
    """Return a block with one to four signals of all kinds, and any behaviour that the API server accepts."""
    least = random.randint(1, 3)
    kinds: list[Signal] = [
        ConcurrencySignal(target=random.choice((1.0, 5.0, 7.5))),
        RequestRateSignal(target=random.choice((0.5, 20.0))),
        CpuSignal(target_utilization=random.choice((50, 80, 120))),
        MemorySignal(target_utilization=random.choice((70, 95))),
        PrometheusSignal(name="queue", query="q", target=random.choice((3.0, 10.0)), target_type="average"),
        PrometheusSignal(name="cache", query="c", target=random.choice((0.8, 50.0)), target_type="value"),
    ]
    return Scaling(
        min_replicas=least,
        max_replicas=least + random.randint(0, 25),
        signals=tuple(random.sample(kinds, random.choice((1, 1, 1, 2, 3, 4)))),
        behavior=ScalingBehavior(scale_up=_rules(random), scale_down=_rules(random)),
        interval=random.choice((5.0, 15.0, 15.0, 60.0)),
        smoothing=0.0,
        cold_start=ColdStart(enabled=False),
        forecast=Forecast(enabled=False),
    )


def _rules(random: Random) -> ScalingRules | None:
    if random.random() < 0.3:
        return None
    policies = tuple(
        ScalingPolicy(
            type=random.choice(("Pods", "Percent")),
            value=random.choice((1, 2, 4, 10, 50, 100, 200)),
            period_seconds=random.choice((5, 15, 30, 60, 90, 300)),
        )
        for _ in range(random.choice((0, 1, 1, 2, 3)))
    )
    return ScalingRules(
        stabilization_window_seconds=random.choice((None, 0, 0, 15, 45, 120)),
        select_policy=random.choice((None, None, "Max", "Min", "Min", "Disabled" if random.random() < 0.3 else "Max")),
        policies=policies,
        tolerance=random.choice((None, None, 0.0, 0.05, 0.2)),
    )


@dataclass
class RandomWorld:
    """A target whose facts change at random. `now` is in epoch seconds, and `replicas` what its owner set."""

    random: Random
    plan: ScalePlan
    replicas: int
    now: float = BEGUN
    level: float = 1.0
    calm: bool = False
    pods: list[PodFacts] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.calm = self.random.random() < 0.5

    def facts(self) -> ScaleFacts:
        """Return the facts at the time `now`; call it once for each interval."""
        random = self.random
        if random.random() < 0.4:
            self.level = random.choice(LEVELS)
        wanted = max(0, self.replicas + (0 if self.calm else random.choice((-1, 0, 0, 0, 1))))
        keep = self.pods if self.calm else [pod for pod in self.pods if random.random() < 0.95]
        names = [(pod.name, pod.started_at) for pod in keep[:wanted]]
        while len(names) < wanted:
            self.made += 1
            names.append((f"p{self.made}", None))
        gone = {signal.id for signal in self.plan.signals if random.random() < 0.05}
        without_request = random.random() < 0.02
        self.pods = [self._pod(name, started, gone, without_request) for name, started in names]
        external = tuple(
            ExternalFact(signal.id, self._milli(signal, self.level * self._share(signal)), self.now)
            for signal in self.plan.signals
            if signal.kind.startswith("external") and signal.id not in gone
        )
        status = self.replicas if self.calm else max(0, self.replicas + random.choice((-2, 0, 0, 0, 1)))
        return ScaleFacts(
            spec_replicas=self.replicas, status_replicas=status, pods=tuple(self.pods), external=external, at=self.now
        )

    def _share(self, signal: PlanSignal) -> float:
        return max(1, self.replicas) if signal.kind == "external_average" else 1.0

    def _milli(self, signal: PlanSignal, level: float) -> float:
        return round(signal.target * level * 1000) / 1000

    def _pod(self, name: str, started: float | None, gone: set[str], without_request: bool) -> PodFacts:
        random = self.random
        odd = not self.calm and random.random() < 0.3
        phase: Phase = random.choice(PHASES) if odd else "Running"
        started = (
            started if started is not None or random.random() < 0.05 else self.now - random.choice((0, 10, 200, 400))
        )
        values = {}
        for signal in self.plan.signals:
            if signal.kind.startswith("external") or signal.id in gone or (not self.calm and random.random() < 0.1):
                continue
            level = self.level if self.calm else self.level * random.choice((0.5, 1.0, 1.0, 1.0, 1.5))
            size = 2.0 if signal.kind == "utilization" else 1.0
            target = signal.target / 100 * size if signal.kind == "utilization" else signal.target
            value = round(target * level * 1000) / 1000
            values[signal.id] = Sample(value, self.now - random.choice((0, 5, 30)), random.choice((0, 15, 30)))
        requests = {name: random.choice((2.0, 2.0, 1.5)) for name in ("cpu", "memory")}
        return PodFacts(
            uid=name,
            name=name,
            phase=phase,
            ready=random.choice((True, False, None)) if odd else True,
            ready_changed_at=self.now - random.choice((0, 20, 40, 100, 390)),
            created_at=self.now,
            started_at=started,
            deleting=odd and random.random() < 0.2,
            values=values,
            requests={} if without_request and random.random() < 0.5 else requests,
        )
