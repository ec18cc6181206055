"""The pods of a target as facts for the recommender: what the mirror and their signals show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ...settings.scaling import LatencySignal, Scaling
from ...sync.messages import Signals
from ..scale.facts import PodFacts, Sample
from .pods import epoch_seconds
from .scaling_sources import SignalReading
from .selectors import Selector
from .signal_book import Arrived
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
    signals: Mapping[str, Sequence[Arrived]],
    others: SignalReading,
    now: float,
    changed_at: float = 0.0,
) -> PodsReading:
    """Return the pods among `items` that `selector` selects, with their values at `now`, in epoch seconds.

    `signals` has the loads of pods by UID, the oldest first, and `others` what other sources have read. The value of a
    pod is the mean of its loads in the last interval, if the newest one is recent. A load that it measured before
    `changed_at`, when there was another number of replicas, is left out: it would cause a second change for one cause.
    """
    found: list[PodFacts] = []
    heard = expected = sampled = outdated = 0
    settled_at = changed_at + SPREAD_SECONDS if 0 < changed_at <= now else 0.0
    for item in items:
        metadata, status = item["metadata"], item.get("status") or {}
        if not selector.matches(metadata.get("labels") or {}) or status.get("phase") in _ENDED:
            continue
        loads = signals.get(metadata["uid"], ())
        silent = not loads or now - loads[-1][0] > RECENT_SECONDS
        interval = [load for load in loads if load[0] > now - settings.interval] or loads[-1:]
        fresh = [] if silent else [load for load in interval if load[0] - SIGNAL_SECONDS >= settled_at]
        name = metadata["name"]
        values = {id_: named[name] for id_, named in others.by_pod.items() if name in named}
        requests = {id_: named[name] for id_, named in others.requests.items() if name in named}
        if fresh:
            own = mean_values(settings, [load for _, load in fresh])
            values |= {id_: Sample(value, fresh[-1][0], window=SIGNAL_SECONDS) for id_, value in own.items()}
        pod = _pod(item, values, requests, answering=any(load.requests_per_second > 0 for _, load in fresh))
        found.append(pod)
        if pod.ready and not pod.deleting:
            expected += 1
            heard += bool(pod.values)
            outdated += not silent and not fresh
            sampled += bool(fresh) and fresh[-1][1].concurrency is None
    return PodsReading(tuple(found), heard, expected, sampled, outdated)


def mean_values(settings: Scaling, loads: Sequence[Signals]) -> dict[str, float]:
    """Return the means of the values that a pod sends, by signal id; also those without a signal in `settings`.

    A release before sends no mean concurrency; that of the moment takes its place. Latencies are weighted by the
    requests. Without a completed request there is no latency.
    """
    concurrency = [float(load.in_flight) if load.concurrency is None else load.concurrency for load in loads]
    rates = [load.requests_per_second for load in loads]
    found = {CONCURRENCY: fmean(concurrency), REQUEST_RATE: fmean(rates)}
    if any(rates):
        quantile = next((one.quantile for one in settings.signals if isinstance(one, LatencySignal)), 0.95)
        found[LATENCY] = fmean([getattr(load, QUANTILES[quantile]) for load in loads], rates)
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
