"""The pods of a target as facts for the recommender: what the mirror and their signals show. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
STARTING_SECONDS = 30.0  # after a pod has become ready, until it is expected to have sent signals
RECENT_SECONDS = 3 * SIGNAL_SECONDS  # older ones count as missing
CONCURRENCY, LATENCY, REQUEST_RATE = "concurrency", "latency", "requestRate"  # ids of the signals of pods
QUANTILES = {0.5: "latency_p50", 0.95: "latency_p95", 0.99: "latency_p99"}
_ENDED = frozenset(("Failed", "Succeeded"))


@dataclass(frozen=True, slots=True)
class PodsReading:
    """The pods of a target.

    `heard` is the number of ready pods with a value of any signal. `expected` is that of all ready pods, without the
    `starting` ones, which have just become ready and have sent nothing yet. `outdated` is the number of ready pods
    whose newest load is from before the last change of the replicas. `sampled` is the number of pods of a release
    before, which send the concurrency of a moment instead of its mean.
    """

    pods: tuple[PodFacts, ...] = ()
    heard: int = 0
    expected: int = 0
    starting: int = 0
    outdated: int = 0
    sampled: int = 0


NO_PODS = PodsReading()


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
    heard = expected = starting = outdated = sampled = 0
    settled_at = changed_at + SPREAD_SECONDS if 0 < changed_at <= now else 0.0
    present = [item for item in items if _is_present(item, selector)]
    recent = {
        uid: _recent(signals.get(uid, ()), settings.interval, now)
        for uid in (one["metadata"]["uid"] for one in present)
    }
    fresh = {uid: [load for load in loads if load[0] - SIGNAL_SECONDS >= settled_at] for uid, loads in recent.items()}
    begun = min((loads[0][0] for loads in fresh.values() if loads), default=now) - SIGNAL_SECONDS
    for item in present:
        uid, name = item["metadata"]["uid"], item["metadata"]["name"]
        own, loads = fresh[uid], signals.get(uid, ())
        values = {id_: named[name] for id_, named in others.by_pod.items() if name in named}
        requests = {id_: named[name] for id_, named in others.requests.items() if name in named}
        pod = _pod(item, values, requests, answering=any(load.requests_per_second > 0 for _, load in own))
        if own:
            slots = (now - begun) / SIGNAL_SECONDS if pod.ready_changed_at > begun else 0.0
            means = mean_values(settings, [load for _, load in own], round(slots))
            samples = {id_: Sample(value, own[-1][0], window=SIGNAL_SECONDS) for id_, value in means.items()}
            pod = replace(pod, values=values | samples, answering=pod.answering or bool(pod.ready))
        found.append(pod)
        if pod.ready and not pod.deleting:
            silent = not loads or now - loads[-1][0] > RECENT_SECONDS
            begins = not loads and not values and 0 <= now - pod.ready_changed_at < STARTING_SECONDS
            starting += begins
            expected += not begins
            heard += bool(pod.values)
            outdated += not silent and not own
            sampled += bool(own) and own[-1][1].concurrency is None
    return PodsReading(tuple(found), heard, expected, starting, outdated, sampled)


def _is_present(item: Item, selector: Selector) -> bool:
    ended = (item.get("status") or {}).get("phase") in _ENDED
    return not ended and selector.matches(item["metadata"].get("labels") or {})


def _recent(loads: Sequence[Arrived], interval: float, now: float) -> Sequence[Arrived]:
    """Return the loads of the last `interval`, or the newest one; none if that is not recent."""
    if not loads or now - loads[-1][0] > RECENT_SECONDS:
        return ()
    return [load for load in loads if load[0] > now - interval] or loads[-1:]


def mean_values(settings: Scaling, loads: Sequence[Signals], slots: int = 0) -> dict[str, float]:
    """Return the means of the values that a pod sends, by signal id; also those without a signal in `settings`.

    A pod that began to serve within the interval has had no load before: `slots` is the number of signals that the
    others have sent. Otherwise the load that it took over would count twice. A release before sends no mean
    concurrency; that of the moment takes its place. Latencies are weighted by the requests. Without a completed request
    there is no latency.
    """
    concurrency = [float(load.in_flight) if load.concurrency is None else load.concurrency for load in loads]
    rates, parts = [load.requests_per_second for load in loads], max(len(loads), slots)
    found = {CONCURRENCY: sum(concurrency) / parts, REQUEST_RATE: sum(rates) / parts}
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
