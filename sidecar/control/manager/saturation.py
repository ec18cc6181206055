"""What is known to limit a model, in words, from the signals of its pods: throttling, GPUs, requests in flight. Pure.

It is shown when more replicas do not help. What is measured and not saturated is said, too: then the replicas wait for
something that they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from ...errors import number
from ...settings.scaling import ConcurrencySignal, Scaling
from ..resize.usage import THROTTLED
from ..scale.facts import PodFacts
from .scaling_pods import CONCURRENCY
from .signal_book import Arrived

BUSY = 0.9  # least share of the time with a kernel


def saturation(pods: Sequence[PodFacts], loads: Mapping[str, Sequence[Arrived]], settings: Scaling) -> tuple[str, ...]:
    """Return sentences about the pods that answer; `loads` has those of an interval by the UID of the pod."""
    answering = [pod for pod in pods if pod.answering and not pod.deleting]
    recent = [[load for _, load in loads.get(pod.uid, ())] for pod in answering]
    throttled = list(_means([[one.throttled for one in found] for found in recent]))
    busy = list(_means([[one.gpu_busy for one in found] for found in recent]))
    found = (_throttled(throttled, len(answering)), _busy(busy, len(answering)), _in_flight(answering, settings))
    return tuple(filter(None, found))


def _means(values: Sequence[Sequence[float | None]]) -> Iterator[float]:
    """Yield the mean of each pod that measures it."""
    for of_pod in values:
        if known := [one for one in of_pod if one is not None]:
            yield fmean(known)


def _throttled(shares: Sequence[float], pods: int) -> str:
    if not shares:
        return ""
    held = [share for share in shares if share >= THROTTLED]
    known = number(len(shares), "pod" if len(shares) == pods else "measured pod")
    if not held:
        return f"the CPU limit throttles none of {known}"
    return f"the CPU limit throttles {len(held)} of {known}, for {fmean(held):.0%} of the time"


def _busy(shares: Sequence[float], pods: int) -> str:
    if not shares:
        return ""
    known = number(len(shares), "pod" if len(shares) == pods else "measured pod")
    full = sum(share >= BUSY for share in shares)
    saturated = f", at least {BUSY:.0%} in {full}" if full else ""
    return f"a kernel ran on the GPUs of {known} for {fmean(shares):.0%} of the time{saturated}"


def _in_flight(pods: Sequence[PodFacts], settings: Scaling) -> str:
    values = [pod.values[CONCURRENCY].value for pod in pods if CONCURRENCY in pod.values]
    target = next((one.target for one in settings.signals if isinstance(one, ConcurrencySignal)), None)
    if not values:
        return ""
    each = f"each replica has {fmean(values):.3g} requests in flight"
    return each if target is None else f"{each}, its target is {target:g}"
