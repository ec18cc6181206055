"""Throttling, CPU requests and CPU limits of the past, from a Prometheus.

    container_cpu_cfs_throttled_seconds_total            --> share of the time, as the sidecars measure it
    container_cpu_cfs_{throttled_,}periods_total         --> where a scrape configuration drops the seconds
    kube_pod_container_resource_{requests,limits}        --> requests and limits at each minute, else the present ones

cAdvisor has the first two only for containers with a CPU limit. kube-state-metrics must be scraped with `honor_labels`,
so that the labels are those of the pod.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..control.resize.usage import THROTTLED
from .throttling import THROTTLED_PERIODS, Limits, Measure, ThrottlingSource
from .workload import MeasuredWorkload

Key = tuple[str, str]  # pod, container
Values = dict[Key, float]
Series = Callable[[str, float, float, float], dict[float, Values]]  # query, start, end, step

SECONDS = "container_cpu_cfs_throttled_seconds_total"
THROTTLED_COUNT, PERIODS = "container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total"
REQUESTS, LIMITS = "kube_pod_container_resource_requests", "kube_pod_container_resource_limits"
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class CpuEnforced:
    """What the node enforced for one container at one time: the share of the time throttled, and cores."""

    throttled: float | None
    request: float | None
    limit: float | None


@dataclass(frozen=True)
class EnforcedChunk:
    """Throttling, requests and limits of some hours, by time."""

    throttled: Mapping[float, Values]
    requests: Mapping[float, Values]
    limits: Mapping[float, Values]


@dataclass(frozen=True)
class EnforcedHistory:
    """Reads what was enforced on the containers of one workload, and says where it is from."""

    workload: MeasuredWorkload
    chosen: str
    series: Series
    measures: Mapping[str, Measure] = field(default_factory=dict)
    stated: frozenset[str] = frozenset()  # containers whose requests or limits kube-state-metrics has
    present: dict[Key, tuple[float | None, float | None]] = field(default_factory=dict)  # requests and limits, as used

    @classmethod
    def find(cls, workload: MeasuredWorkload, chosen: str, series: Series, start: float, end: float) -> EnforcedHistory:
        """Return a reader with what the Prometheus has; `chosen` selects the containers. Raises PrometheusError."""

        def containers(metric: str, more: str = "") -> frozenset[str]:
            query = f"count by (container) (count_over_time({metric}{{{chosen}{more}}}[1h]))"
            return frozenset(
                container for values in series(query, start, end, HOUR).values() for _, container in values
            )

        measures: dict[str, Measure] = dict.fromkeys(containers(PERIODS) & containers(THROTTLED_COUNT), "periods")
        measures |= dict.fromkeys(containers(SECONDS), "seconds")
        stated = containers(REQUESTS, ',resource="cpu"') | containers(LIMITS, ',resource="cpu"')
        return cls(workload, chosen, series, measures, stated)

    @property
    def source(self) -> ThrottlingSource:
        """Where throttling and limits are from."""
        names = [one.name for one in self.workload.containers()]
        limits: dict[str, Limits] = {
            name: "kube-state-metrics" if name in self.stated else "pods_now" for name in names
        }
        return ThrottlingSource(self.measures, limits)

    def read(self, start: float, end: float, step: float, window: float) -> EnforcedChunk:
        """Return what was enforced from `start` to `end`; rates are over `window` seconds. Raises PrometheusError."""
        measures, seconds = set(self.measures.values()), math.ceil(window)
        throttled: dict[float, Values] = {}
        if "periods" in measures:
            held, periods = (f"rate({name}{{{self.chosen}}}[{seconds}s])" for name in (THROTTLED_COUNT, PERIODS))
            share = f"{held} / ({periods} > 0) or {held}"  # a container that did not run was not throttled
            found = self._by_pod(share, start, end, step)
            scaled = THROTTLED / THROTTLED_PERIODS
            throttled = {at: {key: scaled * value for key, value in one.items()} for at, one in found.items()}
        if "seconds" in measures:
            found = self._by_pod(f"clamp_max(rate({SECONDS}{{{self.chosen}}}[{seconds}s]), 1)", start, end, step)
            throttled = {at: {**throttled.get(at, {}), **found.get(at, {})} for at in {*throttled, *found}}
        amounts = [
            self._by_pod(f'{name}{{{self.chosen},resource="cpu"}}', start, end, step) if self.stated else {}
            for name in (REQUESTS, LIMITS)
        ]
        return EnforcedChunk(throttled, *amounts)

    def at(self, chunk: EnforcedChunk, at: float, key: Key) -> CpuEnforced:
        """Return what was enforced on one container at one time of the chunk."""
        throttled = chunk.throttled.get(at, {}).get(key)
        if key[1] in self.stated:
            return CpuEnforced(throttled, chunk.requests.get(at, {}).get(key), chunk.limits.get(at, {}).get(key))
        if key not in self.present:
            self.present[key] = self.workload.cpu_in_force(*key)
        return CpuEnforced(throttled, *self.present[key])

    def _by_pod(self, query: str, start: float, end: float, step: float) -> dict[float, Values]:
        return self.series(f"max by (pod, container) ({query})", start, end, step)
