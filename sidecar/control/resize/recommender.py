"""The recommender of CPU and memory of one container, with the method of the VerticalPodAutoscaler. Pure.

    use, kills for memory --observe--> ResizeState --recommend--> target, lower and upper bound

    percentile of the use --margin--> target                             --bounds of the document--> target
    median and 95th percentile --margin, then wider the less is known--> lower and upper bound

Two things are added, and each can be turned off: memory that a kill asked for is kept for a day even if only one of
many pods was killed, and the use of a container that its CPU limit throttles is a lower bound of its demand. The
percentiles are then those of the demand (`HistogramState.uncensored`), and the request follows what the present needs
(`throttling.py`). Without them the result is that of the VerticalPodAutoscaler: docs/resizing-algorithm.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import number
from ...settings.units import show_duration
from ..reasons import Reason
from .histogram import CPU, MEMORY, Buckets, HistogramState, power
from .plan import PlanResource, ResizePlan, ResourceName
from .samples import add_samples
from .state import ResizeState
from .throttling import INFERRED, MEASURED, least_cpu, remembered, with_throttling
from .usage import ContainerUsage, OomKill

DAY, MINUTE = 86400.0, 60.0
MAX_AMOUNT = 10**14  # millicores or bytes
URGENT = 0.9  # of what throttling asks for: the lower bound, so that a request below it is raised at once
# the upper bound once throttled, times the target or the upper percentile, so that what was raised is lowered
ABOVE = 1.2
UNITS: Mapping[ResourceName, tuple[Buckets, float]] = {"cpu": (CPU, 1000.0), "memory": (MEMORY, 1.0)}


@dataclass(frozen=True, slots=True)
class ResourceRecommendation:
    """Recommended requests of one container, in cores and bytes.

    Attributes:
        container: its name.
        target, lower, upper: by resource, within the bounds of the document. A request within `lower` and `upper` can
            stay. A resource whose use is not known is absent.
        uncapped: the target without the bounds of the document.
        confidence_days: the days of history, at one sample a minute.
        samples: the number of CPU samples.
        reason, text: what decided; USAGE_MISSING and LOW_CONFIDENCE say that nothing should follow from it yet.
        throttled: whether the CPU limit throttles now, and the CPU target is what this asks for.
    """

    container: str
    target: Mapping[ResourceName, float]
    lower: Mapping[ResourceName, float]
    upper: Mapping[ResourceName, float]
    uncapped: Mapping[ResourceName, float]
    confidence_days: float
    samples: int
    reason: Reason
    text: str
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Target and bounds of one resource in millicores or bytes, before the bounds of the document.

    `high` is the upper percentile with the margin, from which the upper bound comes closer the more is known.
    """

    target: int
    lower: int
    upper: int
    high: int


def observe(
    state: ResizeState,
    plan: ResizePlan,
    usages: Sequence[ContainerUsage],
    kills: Sequence[OomKill],
    now: float,
    latency: float | None = None,
) -> ResizeState:
    """Return the state with what was measured up to `now`, in epoch seconds.

    `latency` is the quantile that the document names, in seconds; None if it is not known. Samples of other containers
    are left out, and so are those that were added before or cannot be true: not finite, negative, or of a later time.
    """
    asking = plan.latency is None or (latency is not None and latency > plan.latency)
    added = add_samples(state, plan, usages, kills, now, censoring=plan.raises and asking)
    return with_throttling(added, plan, usages, now, asking=asking)


def recommend(plan: ResizePlan, state: ResizeState, now: float) -> ResourceRecommendation:
    """Return the recommendation at `now`, in epoch seconds."""
    found = {name: _raised(name, plan, state, estimate, now) for name, estimate in _estimates(plan, state).items()}
    confidence = _confidence(state)
    reason, text = _explained(plan, state, found, now)
    return ResourceRecommendation(
        container=plan.container,
        target={name: _capped(name, plan, one.target) for name, one in found.items()},
        lower={name: _capped(name, plan, one.lower) for name, one in found.items()},
        upper={name: _capped(name, plan, one.upper) for name, one in found.items()},
        uncapped={name: one.target / UNITS[name][1] for name, one in found.items()},
        confidence_days=confidence,
        samples=state.samples,
        reason=reason,
        text=text,
        throttled="cpu" in found and _throttles(plan, state, found["cpu"]),
    )


def _estimates(plan: ResizePlan, state: ResizeState) -> dict[ResourceName, _Estimate]:
    """Return what the VerticalPodAutoscaler would recommend for the demand, for each resource with samples."""
    cpu = state.cpu.uncensored()[0] if plan.raises else state.cpu
    histograms: dict[ResourceName, HistogramState] = {"cpu": cpu, "memory": state.memory}
    return {
        name: _estimate(name, resource, histograms[name], _confidence(state))
        for name, resource in plan.resources.items()
        if not histograms[name].empty
    }


def _estimate(name: ResourceName, resource: PlanResource, histogram: HistogramState, confidence: float) -> _Estimate:
    buckets, unit = UNITS[name]
    lower, target, upper = (
        base + _amount(base * resource.margin)
        for share in (resource.lower, resource.target, resource.upper)
        for base in (_amount(histogram.percentile(buckets, share) * unit),)
    )
    if confidence <= 0:
        return _Estimate(target, 0, MAX_AMOUNT, upper)
    wider = 1 + 1 / confidence
    return _Estimate(target, _amount(lower * power(1 + 0.001 / confidence, -2)), _amount(upper * wider), upper)


def _confidence(state: ResizeState) -> float:
    """Return the days between the first and the last sample, or the samples in days at one a minute if less."""
    return min((state.last_at - state.first_at) / DAY, state.samples / (DAY / MINUTE))


def _amount(value: float) -> int:
    """Return a whole number of millicores or bytes, as the VerticalPodAutoscaler rounds: down, and within bounds."""
    return MAX_AMOUNT if value > MAX_AMOUNT else int(value) if value > 0 else 0


def _raised(name: ResourceName, plan: ResizePlan, state: ResizeState, found: _Estimate, now: float) -> _Estimate:
    """Return the estimate with what kills for memory and throttling add."""
    if name == "cpu":
        floor = _amount(least_cpu(state.throttling, plan, now))
        lower = _amount(floor * URGENT)
    else:
        floor = lower = _floor(plan, state, now)
    target, upper = max(found.target, floor), found.upper
    if name == "cpu" and plan.raises and plan.follows and remembered(state.throttling, now):
        upper = min(upper, _amount(max(target, found.high) * ABOVE))
    return _Estimate(target, max(found.lower, lower), max(upper, target), found.high)


def _throttles(plan: ResizePlan, state: ResizeState, found: _Estimate) -> bool:
    """Return whether the CPU target is a step after throttling."""
    return plan.raises and 0 < state.throttling.step >= found.target


def _floor(plan: ResizePlan, state: ResizeState, now: float) -> int:
    """Return the memory that a recent kill asked for; 0 without one."""
    return state.floor.memory if state.floor.at and now - state.floor.at < plan.after_oom_kill else 0


def _capped(name: ResourceName, plan: ResizePlan, amount: int) -> float:
    resource = plan.resources[name]
    return min(max(amount / UNITS[name][1], resource.least), resource.most)


def _explained(
    plan: ResizePlan, state: ResizeState, found: Mapping[ResourceName, _Estimate], now: float
) -> tuple[Reason, str]:
    history = f"{number(state.samples, 'sample')} in {show_duration(round(max(0.0, state.last_at - state.first_at)))}"
    if not found:
        return Reason.USAGE_MISSING, "no use of the container was measured"
    if "memory" in found and _floor(plan, state, now) >= found["memory"].target:
        return Reason.OOM_KILLED, f"the container was killed for its memory; {history}"
    if _confidence(state) * DAY < plan.min_history:
        needed = f"{show_duration(plan.min_history)}, and a sample for each minute of it, are needed"
        return Reason.LOW_CONFIDENCE, f"{history}; {needed}"
    if "cpu" in found and _throttles(plan, state, found["cpu"]):
        how = INFERRED if state.throttling.inferred else MEASURED
        slow = " while the latency was above its target" if plan.latency is not None else ""
        return Reason.CPU_THROTTLED, f"the CPU limit throttled the container{slow} ({how}); {history}"
    return Reason.RESIZING, f"{history}, all pods"
