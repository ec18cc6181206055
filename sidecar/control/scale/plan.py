"""The plan: `spec.scaling` of a document with every default resolved, as the recommender reads it.

The defaults of the behaviour are those of autoscaling/v2, and the constants of a plan are those of
kube-controller-manager (`--horizontal-pod-autoscaler-*`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from ...settings.scaling import (
    ConcurrencySignal,
    CpuSignal,
    LatencySignal,
    MemorySignal,
    PrometheusSignal,
    RequestRateSignal,
    Scaling,
    ScalingRules,
    Signal,
    signal_id,
)

SignalKind = Literal["average", "external_average", "external_value", "latency", "utilization"]
SelectPolicy = Literal["Max", "Min", "Disabled"]
TOLERANCE = 0.1
STABILIZATION_DOWN = 300.0


@dataclass(frozen=True, slots=True)
class PlanSignal:
    """One signal with its target.

    Attributes:
        kind: `average` (per pod), `utilization` (per pod, in percent of its request), `external_average` (a total
            divided by the replicas), `external_value` (a total), or `latency` (a gate).
        target: in the unit of the signal, percent for `utilization`, seconds for `latency`.
        cpu: whether the readiness of a pod decides if its value counts.
        quantile: of the latency; 0 for the other kinds.
    """

    id: str
    kind: SignalKind
    target: float
    cpu: bool = False
    quantile: float = 0.0

    @classmethod
    def of(cls, signal: Signal) -> Self:
        """Return a signal of the document."""
        name = signal_id(signal)
        match signal:
            case ConcurrencySignal() | RequestRateSignal():
                return cls(name, "average", signal.target)
            case CpuSignal() | MemorySignal():
                return cls(name, "utilization", float(signal.target_utilization), isinstance(signal, CpuSignal))
            case LatencySignal():
                return cls(name, "latency", signal.target, quantile=signal.quantile)
            case PrometheusSignal():
                return cls(
                    name, "external_value" if signal.target_type == "value" else "external_average", signal.target
                )


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """The largest change in a period: `value` pods or percent within `period` seconds."""

    percent: bool
    value: int
    period: float


@dataclass(frozen=True, slots=True)
class DirectionRules:
    """The rules of one direction: `window` is that of the stabilisation, in seconds."""

    window: float
    select: SelectPolicy
    policies: tuple[RatePolicy, ...]
    tolerance: float = TOLERANCE

    @property
    def longest_period(self) -> float:
        """The longest period of a policy, in seconds."""
        return max((policy.period for policy in self.policies), default=0.0)


DEFAULT_UP = DirectionRules(0.0, "Max", (RatePolicy(False, 4, 15.0), RatePolicy(True, 100, 15.0)))
DEFAULT_DOWN = DirectionRules(STABILIZATION_DOWN, "Max", (RatePolicy(True, 100, 15.0),))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePlan:
    """All that a recommendation depends on besides facts and state. All durations are in seconds.

    Attributes:
        initial_readiness_delay, cpu_initialization: as the options of kube-controller-manager of these names.
        smoothing: the time whose mean load decides on fewer replicas; 0 without.
        cold_start, assumed_startup, startup_deadline: of `coldStart`.
        forecast_period: 0 without a forecast.
        max_age: the greatest age of facts that may be acted on.
    """

    min_replicas: int
    max_replicas: int
    signals: tuple[PlanSignal, ...]
    up: DirectionRules = DEFAULT_UP
    down: DirectionRules = DEFAULT_DOWN
    interval: float = 15.0
    smoothing: float = 0.0
    cold_start: bool = True
    assumed_startup: float = 60.0
    startup_deadline: float = 1800.0
    forecast_period: float = 0.0
    cpu_initialization: float = 300.0
    initial_readiness_delay: float = 30.0
    max_age: float = 60.0

    @classmethod
    def of(cls, scaling: Scaling) -> Self:
        """Return the plan of the block `spec.scaling`."""
        cold = scaling.cold_start
        return cls(
            min_replicas=scaling.min_replicas,
            max_replicas=scaling.max_replicas,
            signals=tuple(PlanSignal.of(signal) for signal in scaling.signals),
            up=_rules(scaling.behavior.scale_up, DEFAULT_UP),
            down=_rules(scaling.behavior.scale_down, DEFAULT_DOWN),
            interval=scaling.interval,
            smoothing=scaling.smoothing,
            cold_start=cold.enabled,
            assumed_startup=cold.assumed,
            startup_deadline=cold.deadline,
            forecast_period=scaling.forecast.period if scaling.forecast.enabled and cold.enabled else 0.0,
            max_age=max(60.0, 2 * scaling.interval),
        )

    def horizontal(self) -> Self:
        """Return the plan with the same bounds, targets and behaviour that decides exactly as autoscaling/v2."""
        return replace(self, signals=self.loads, smoothing=0.0, cold_start=False, forecast_period=0.0)

    @property
    def gates(self) -> tuple[PlanSignal, ...]:
        """The signals of the latency."""
        return tuple(signal for signal in self.signals if signal.kind == "latency")

    @property
    def loads(self) -> tuple[PlanSignal, ...]:
        """The signals that propose a number of replicas."""
        return tuple(signal for signal in self.signals if signal.kind != "latency")


def _rules(rules: ScalingRules | None, default: DirectionRules) -> DirectionRules:
    if rules is None:
        return default
    window = rules.stabilization_window_seconds
    policies = tuple(
        RatePolicy(policy.type == "Percent", policy.value, float(policy.period_seconds)) for policy in rules.policies
    )
    return DirectionRules(
        window=default.window if window is None else float(window),
        select=rules.select_policy or default.select,
        policies=policies or default.policies,
        tolerance=default.tolerance if rules.tolerance is None else rules.tolerance,
    )
