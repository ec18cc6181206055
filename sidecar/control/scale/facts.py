"""The facts that a recommendation depends on, as plain values: pods, their signals, and totals.

Whoever reads them leaves out what is missing or too old. A value of 0 therefore always means 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a signal for one pod.

    Attributes:
        value: requests in flight, requests per second, seconds (latency), cores (CPU) or bytes (memory).
        at: the end of the time that the value is about, in epoch seconds.
        window: the length of this time in seconds.
    """

    value: float
    at: float
    window: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """One pod of the target.

    Attributes:
        ready: the status of its condition Ready; None if it has no such condition.
        ready_changed_at: the last transition of this condition, in epoch seconds.
        created_at: the creation of the pod, in epoch seconds.
        started_at: `status.startTime` in epoch seconds; None before the kubelet accepted the pod.
        deleting: whether it has a deletion timestamp.
        unschedulable: whether the scheduler finds no node for it.
        answering: whether it has completed a request, or is ready and sends signals.
        values: by the id of the signal (`settings.scaling.signal_id`). A missing or stale value is absent.
        requests: for CPU and memory by the id of the signal, the request of the pod in the unit of the value. If one
            pod has none, the signal is missing.
    """

    uid: str
    name: str
    phase: Phase
    ready: bool | None
    ready_changed_at: float = 0.0
    created_at: float
    started_at: float | None = None
    deleting: bool = False
    unschedulable: bool = False
    answering: bool = False
    values: Mapping[str, Sample] = field(default_factory=dict)
    requests: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExternalFact:
    """The total of a signal over all pods, such as the result of a query, at a time in epoch seconds."""

    signal: str
    value: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFacts:
    """Everything observed of a target at the time `at`, in epoch seconds.

    Attributes:
        spec_replicas: `spec.replicas` of the scale subresource.
        status_replicas: `status.replicas` of the scale subresource.
        pods: the pods that the selector of the target selects.
        external: totals; a missing or stale one is absent.
        saturated: what is known to limit the model, in words, such as "the CPU of 3 of 4 pods is throttled"; shown if
            more replicas do not help.
    """

    spec_replicas: int
    status_replicas: int
    pods: tuple[PodFacts, ...]
    external: tuple[ExternalFact, ...] = ()
    saturated: tuple[str, ...] = ()
    at: float


def total_of(facts: ScaleFacts, signal: str) -> ExternalFact | None:
    """Return the total of a signal, None if it is missing."""
    return next((found for found in facts.external if found.signal == signal), None)
