"""The pods of a target as facts for the recommender: what the mirror and their signals show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...settings.scaling import LatencySignal, Scaling
from ...sync.messages import Signals
from ..scale.facts import PodFacts, Sample
from .pods import epoch_seconds
from .scaling_sources import SignalReading
from .selectors import Selector
from .world import Item

SIGNAL_SECONDS = 5.0  # between two signals of a pod
SPREAD_SECONDS = 2.0  # until the load is spread over another number of pods
RECENT_SECONDS = 3 * SIGNAL_SECONDS  # older ones count as missing
CONCURRENCY, LATENCY, REQUEST_RATE = "concurrency", "latency", "requestRate"  # ids of the signals of pods
QUANTILES = {0.5: "latency_p50", 0.95: "latency_p95", 0.99: "latency_p99"}
_ENDED = frozenset(("Failed", "Succeeded"))


@dataclass(frozen=True, slots=True)
class PodsReading:
    """The pods of a target.

    `heard` is the number of ready pods with a value of any signal, `expected` that of all ready pods. `sampled` is the
    number of pods of a release before, which send the concurrency of a moment instead of its mean. `outdated` is the
    number of ready pods whose newest load is from before the last change of the replicas.
    """

    pods: tuple[PodFacts, ...]
    heard: int
    expected: int
    sampled: int
    outdated: int = 0


NO_PODS = PodsReading((), 0, 0, 0)


def read_pods(
    items: Iterable[Item],
    selector: Selector,
    settings: Scaling,
    signals: Mapping[str, tuple[float, Signals]],
    others: SignalReading,
    now: float,
    changed_at: float = 0.0,
) -> PodsReading:
    """Return the pods among `items` that `selector` selects, with their values at `now`, in epoch seconds.

    A load that a pod measured before `changed_at`, when there was another number of replicas, is left out: it would
    cause a second change for one cause.
    `signals` has the newest load by UID with the time of its arrival, and `others` what other sources have read.
    """
    found: list[PodFacts] = []
    heard = expected = sampled = outdated = 0
    for item in items:
        metadata, status = item["metadata"], item.get("status") or {}
        if not selector.matches(metadata.get("labels") or {}) or status.get("phase") in _ENDED:
            continue
        arrived, load = signals.get(metadata["uid"], (float("-inf"), None))
        recent = load if 0 <= now - arrived <= RECENT_SECONDS else None
        old = recent is not None and arrived - SIGNAL_SECONDS < changed_at + SPREAD_SECONDS and changed_at <= now
        recent = None if old else recent
        name = metadata["name"]
        values = {id_: named[name] for id_, named in others.by_pod.items() if name in named}
        requests = {id_: named[name] for id_, named in others.requests.items() if name in named}
        if recent is not None:
            own = values_of(settings, recent)
            values |= {id_: Sample(value, arrived, window=SIGNAL_SECONDS) for id_, value in own.items()}
        pod = _pod(item, values, requests, answering=recent is not None and recent.requests_per_second > 0)
        found.append(pod)
        if pod.ready and not pod.deleting:
            expected += 1
            heard += bool(pod.values)
            outdated += old
            sampled += recent is not None and recent.concurrency is None
    return PodsReading(tuple(found), heard, expected, sampled, outdated)


def values_of(settings: Scaling, signals: Signals) -> dict[str, float]:
    """Return the values that a pod sends, by signal id; also those without a signal in `settings`.

    A release before sends no mean concurrency; that of the moment takes its place. Without a completed request there is
    no latency.
    """
    mean = signals.concurrency
    found = {
        CONCURRENCY: float(signals.in_flight) if mean is None else mean,
        REQUEST_RATE: signals.requests_per_second,
    }
    if signals.requests_per_second:
        quantile = next((one.quantile for one in settings.signals if isinstance(one, LatencySignal)), 0.95)
        found[LATENCY] = getattr(signals, QUANTILES[quantile])
    return found


def _pod(item: Item, values: Mapping[str, Sample], requests: Mapping[str, float], *, answering: bool) -> PodFacts:
    metadata, status = item["metadata"], item.get("status") or {}
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled") or {}
    is_ready = ready.get("status") == "True" if ready is not None else None
    started = status.get("startTime")
    return PodFacts(
        uid=metadata["uid"],
        name=metadata["name"],
        phase=status.get("phase") or "Pending",
        ready=is_ready,
        ready_changed_at=epoch_seconds(ready.get("lastTransitionTime")) if ready is not None else 0.0,
        created_at=epoch_seconds(metadata.get("creationTimestamp")),
        started_at=epoch_seconds(started) if started else None,
        deleting=bool(metadata.get("deletionTimestamp")),
        unschedulable=is_unschedulable(scheduled),
        answering=answering or (bool(is_ready) and bool(values)),
        values=values,
        requests=requests,
    )


def is_unschedulable(condition: Mapping[str, Any]) -> bool:
    """Return whether the condition PodScheduled of a pod says that no node has room for it."""
    return condition.get("status") == "False" and condition.get("reason") == "Unschedulable"
