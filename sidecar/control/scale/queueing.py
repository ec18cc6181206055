"""Which part of the requests in flight is a queue that starting replicas will drain.

While replicas start, requests wait, and the concurrency grows although no more requests arrive. By Little's law,
arrivals x service time requests are in flight without a queue. The service time is learned near the target, where
nothing waits. What remains of the requests in flight is the queue, which has to drain once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from .facts import ScaleFacts
from .plan import PlanSignal, ScalePlan
from .state import ArrivalState

LOWEST_RATIO = 0.5  # of the target: below, batches are small and the service time is not that of the target
RISE, FALL = 0.2, 0.02  # weights of a new service time above and below the learned one: high times count more
MOST_RATES = 3
DRAIN = 60.0  # seconds within which the queue should be gone once all replicas answer


@dataclass(frozen=True, slots=True)
class PodTraffic:
    """The sums over the pods that answer: requests in flight, and requests per second."""

    in_flight: float
    rate: float


def traffic_of(facts: ScaleFacts) -> PodTraffic | None:
    """Return the traffic of the pods; None if one that answers has no recent values."""
    in_flight = rate = 0.0
    found = False
    for pod in facts.pods:
        if pod.deleting or not pod.answering:
            continue
        one, other = pod.values.get("concurrency"), pod.values.get("requestRate")
        if one is None or other is None:
            return None
        in_flight, rate, found = in_flight + one.value, rate + other.value, True
    return PodTraffic(in_flight, rate) if found else None


def observed(
    plan: ScalePlan, state: ArrivalState, traffic: PodTraffic | None, ratio: float | None, now: float
) -> ArrivalState:
    """Return the state with the arrivals since the last evaluation and the service time at `ratio` of the target."""
    if traffic is None:
        return ArrivalState(state.service_time)
    service = state.service_time
    if ratio is not None and traffic.rate > 0.0 and LOWEST_RATIO <= ratio <= 1.0 + plan.up.tolerance:
        new = traffic.in_flight / traffic.rate
        service = service + (RISE if new > service else FALL) * (new - service) if service else new
    passed = now - state.at
    grown = (traffic.in_flight - state.in_flight) / passed if 0.0 < passed <= 4 * plan.interval else 0.0
    rates = (*state.rates, max(0.0, traffic.rate + grown))[-MOST_RATES:]
    return ArrivalState(service, traffic.in_flight, now, rates)


def enough(plan: ScalePlan, signal: PlanSignal, state: ArrivalState) -> int | None:
    """Return the replicas that serve the recent arrivals and drain the queue; None before the service time is known."""
    if not state.service_time or not state.rates:
        return None
    arriving = max(state.rates)
    waiting = max(0.0, state.in_flight - arriving * state.service_time)
    in_flight = (arriving + waiting / DRAIN) * state.service_time
    return ceil(in_flight / signal.target * (1.0 + plan.up.tolerance))
