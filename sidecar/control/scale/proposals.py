"""What one signal proposes: the replica calculator of autoscaling/v2.

Follows k8s.io/kubernetes/pkg/controller/podautoscaler/replica_calculator.go of Kubernetes 1.36. As there, values are
whole thousandths, and means and percentages are truncated: a float in their place would decide differently at a
boundary. tests/control/scale compares both on random cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, inf

from .facts import PodFacts, ScaleFacts, total_of
from .plan import PlanSignal, ScalePlan
from .startup import is_starting

LARGEST = 2**31 - 1
MOST_MILLI = 2.0**63


@dataclass(frozen=True, slots=True)
class Proposal:
    """The replicas that one signal proposes.

    Attributes:
        ratio: the mean value of the pods that count, divided by the target.
        needed: the load in replicas, before rounding and tolerance.
        complete: whether every pod that is no longer starting has a value.
    """

    replicas: int
    ratio: float
    needed: float
    complete: bool = True


@dataclass(frozen=True, slots=True)
class MissingSignal:
    """A signal without a usable value, with the cause in words."""

    cause: str


@dataclass(frozen=True, slots=True)
class _Pods:
    """The pods by how their values count: `counted` have a value, `unready` and `missing` get one by the direction."""

    counted: tuple[str, ...]
    unready: tuple[str, ...]
    missing: tuple[str, ...]


def propose(plan: ScalePlan, signal: PlanSignal, facts: ScaleFacts, now: float) -> Proposal | MissingSignal:
    """Return what a signal other than a gate proposes at the time `now`, before bounds and behaviour."""
    if signal.kind in ("external_average", "external_value"):
        return _external(plan, signal, facts)
    if not facts.pods:
        return MissingSignal("the target has no pods")
    if signal.kind == "utilization":
        return _utilization(plan, signal, facts, now)
    return _average(plan, signal, facts, now)


def within(plan: ScalePlan, ratio: float) -> bool:
    """Return whether the tolerance covers `ratio`, so that nothing changes."""
    return 1.0 - plan.down.tolerance <= ratio <= 1.0 + plan.up.tolerance


def _average(plan: ScalePlan, signal: PlanSignal, facts: ScaleFacts, now: float) -> Proposal | MissingSignal:
    target = _target(signal)
    pods = _grouped(plan, signal, facts.pods, now)

    def ratio_of(values: Mapping[str, int]) -> float:
        return (sum(values.values()) // len(values)) / target

    return _per_pod(plan, facts, pods, _values(signal, facts.pods, pods), ratio_of, lambda _name: target)


def _utilization(plan: ScalePlan, signal: PlanSignal, facts: ScaleFacts, now: float) -> Proposal | MissingSignal:
    target = int(signal.target)
    requests = {pod.name: _milli(pod.requests[signal.id]) for pod in facts.pods if signal.id in pod.requests}
    without = [pod.name for pod in facts.pods if pod.name not in requests]
    if without:
        return MissingSignal(f"{len(without)} of {len(facts.pods)} pods request no {signal.id}, such as {without[0]}")
    if not sum(requests.values()):
        return MissingSignal(f"the pods request no {signal.id}")
    pods = _grouped(plan, signal, facts.pods, now)

    def ratio_of(values: Mapping[str, int]) -> float:
        asked = sum(requests[name] for name in values)
        return sum(values.values()) * 100 // asked / target if asked else inf

    def full(name: str) -> int:
        return requests[name] * max(100, target) // 100

    return _per_pod(plan, facts, pods, _values(signal, facts.pods, pods), ratio_of, full)


def _per_pod(
    plan: ScalePlan,
    facts: ScaleFacts,
    pods: _Pods,
    values: dict[str, int],
    ratio_of: Callable[[Mapping[str, int]], float],
    full: Callable[[str], int],
) -> Proposal | MissingSignal:
    """Return the proposal of values per pod.

    Where pods are unready or without a value, the change is checked again with values for them that make it smaller:
    0 upward, and `full` downward.
    """
    current = facts.spec_replicas
    if not values:
        return MissingSignal("no pod that counts has a value")
    ratio = ratio_of(values)
    if ratio == inf:
        return MissingSignal("the pods with values have no requests")
    needed = ratio * len(pods.counted)
    up_with_unready = bool(pods.unready) and ratio > 1.0
    if not up_with_unready and not pods.missing:
        proposed = current if within(plan, ratio) else whole(needed)
        return Proposal(proposed, ratio, needed)
    if ratio < 1.0:
        values |= {name: full(name) for name in pods.missing}
    elif ratio > 1.0:
        values |= dict.fromkeys((*pods.missing, *(pods.unready if up_with_unready else ())), 0)
    again = ratio_of(values)
    proposed = whole(again * len(values))
    turned = (ratio < 1.0 < again) or (again < 1.0 < ratio)
    opposite = (again < 1.0 and proposed > current) or (again > 1.0 and proposed < current)
    if within(plan, again) or turned or opposite:
        proposed = current
    return Proposal(proposed, ratio, needed, complete=not pods.missing)


def _external(plan: ScalePlan, signal: PlanSignal, facts: ScaleFacts) -> Proposal | MissingSignal:
    total = total_of(facts, signal.id)
    if total is None:
        return MissingSignal("no recent value")
    usage, target = _milli(total.value), _target(signal)
    if signal.kind == "external_average":
        replicas = facts.status_replicas
        ratio = usage / (target * replicas) if replicas else inf
        needed = usage / target
        return Proposal(replicas if within(plan, ratio) else whole(needed), ratio, needed)
    ratio = usage / target
    if within(plan, ratio):
        return Proposal(facts.spec_replicas, ratio, ratio * facts.spec_replicas)
    if not facts.pods:
        return MissingSignal("the target has no pods")
    ready = sum(pod.phase == "Running" and pod.ready is True for pod in facts.pods)
    return Proposal(whole(ratio * ready), ratio, ratio * ready)


def _grouped(plan: ScalePlan, signal: PlanSignal, pods: tuple[PodFacts, ...], now: float) -> _Pods:
    counted, unready, missing = [], [], []
    for pod in pods:
        if pod.deleting or pod.phase == "Failed":
            continue
        if pod.phase == "Pending" or (plan.cold_start and is_starting(pod, now)):
            unready.append(pod.name)
        elif signal.id not in pod.values:
            missing.append(pod.name)
        elif signal.cpu and _initialising(plan, signal, pod, now):
            unready.append(pod.name)
        else:
            counted.append(pod.name)
    return _Pods(tuple(counted), tuple(unready), tuple(missing))


def _initialising(plan: ScalePlan, signal: PlanSignal, pod: PodFacts, now: float) -> bool:
    """Return whether the CPU of a pod may be that of its start, so that it does not count."""
    if pod.ready is None or pod.started_at is None:
        return True
    if pod.started_at + plan.cpu_initialization > now:
        sample = pod.values[signal.id]
        return pod.ready is False or sample.at < pod.ready_changed_at + sample.window
    return pod.ready is False and pod.started_at + plan.initial_readiness_delay > pod.ready_changed_at


def _values(signal: PlanSignal, pods: tuple[PodFacts, ...], grouped: _Pods) -> dict[str, int]:
    counted = set(grouped.counted)
    return {pod.name: _milli(pod.values[signal.id].value) for pod in pods if pod.name in counted}


def _target(signal: PlanSignal) -> int:
    return max(1, _milli(signal.target))


def _milli(value: float) -> int:
    """Return a value in thousandths, within those of a Kubernetes quantity."""
    return round(min(max(value * 1000, 0.0), MOST_MILLI))


def whole(replicas: float) -> int:
    """Return a load in replicas, rounded up."""
    return LARGEST if replicas >= LARGEST else ceil(replicas)
