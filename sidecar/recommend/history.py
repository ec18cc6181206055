"""Use of containers in the past, from a Prometheus that scrapes cAdvisor in the kubelets.

    container_cpu_usage_seconds_total  --> rate over a few scrapes, at each minute --+
                                                                                     +--> ContainerUsage
    container_memory_working_set_bytes --> largest value of each minute -------------+
    throttling, requests and limits (limits.py) -------------------------------------+

Pods that no longer exist count, too: their names follow from the name of the workload. Containers that were replaced
have two series for some minutes; the larger one counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..control.resize.usage import ContainerUsage
from ..errors import redact_urls
from ..prometheus import PrometheusError, query_range, read_matrix
from .limits import EnforcedChunk, EnforcedHistory, Values
from .workload import MeasuredWorkload

CPU, MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
STEP = 60.0  # seconds between two samples, as metrics-server and the VPA have them
CHUNK = 6 * 3600.0  # seconds of one query
DAY, HOUR = 86_400.0, 3600.0
SCRAPES = 4  # in the window of a rate, so that one lost scrape leaves no gap
REMEDY = "give fewer --days, or one --monitor"

Progress = Callable[[str, float], None]


class NoSeriesError(PrometheusError):
    """A Prometheus that answers, and has no use of a workload."""


@dataclass(frozen=True, slots=True)
class PrometheusServer:
    """Where the history is, and the bearer token; empty for none."""

    url: str
    token: str = ""

    def series(self, query: str, start: float, end: float, step: float) -> dict[float, Values]:
        """Return the values of a range query by time, then pod and container; raise PrometheusError."""
        raw = query_range(self.url, query, start, end, step, self.token, remedy=REMEDY)
        found: dict[float, Values] = defaultdict(dict)
        for series in read_matrix(raw, redact_urls(self.url)):
            key = series.labels.get("pod", ""), series.labels.get("container", "")
            for at, value in series.samples:
                if not math.isnan(value) and value >= 0:
                    found[at][key] = value
        return found


def find_enforced(server: PrometheusServer, workload: MeasuredWorkload, days: float, now: float) -> EnforcedHistory:
    """Return what the Prometheus has about throttling and limits; raise PrometheusError if it does not answer."""
    return EnforcedHistory.find(workload, selector(workload), server.series, now - days * DAY, now)


def read_history(
    server: PrometheusServer, enforced: EnforcedHistory, days: float, now: float, progress: Progress
) -> Iterator[list[ContainerUsage]]:
    """Yield the use of the containers of a workload at each minute of the last `days` days, the oldest first.

    Raises PrometheusError if the server does not answer, NoSeriesError if it knows none of these pods.
    """
    start, workload = now - days * DAY, enforced.workload
    scrapes = _scrapes(server, workload, start, now)
    interval = min(DAY, max(1.0, HOUR / max(scrapes.values())))
    begin = max(start, min(scrapes) - HOUR)
    for first in _steps(begin, now, CHUNK):
        progress(f"history of {workload.title}", (first - begin) / (now - begin))
        last = min(first + CHUNK - STEP, now)
        yield from _chunk(server, enforced, first, last, interval)


def selector(workload: MeasuredWorkload) -> str:
    """Return the selector of the series of a workload's containers, without pod sandboxes and sums of pods."""
    pattern = workload.pod_name_pattern().replace("\\", "\\\\")
    return f'namespace="{workload.namespace}",pod=~"{pattern}",container!="",container!="POD"'


def _scrapes(server: PrometheusServer, workload: MeasuredWorkload, start: float, now: float) -> dict[float, float]:
    """Return the samples of one series in each hour that has any."""
    query = f"max(count_over_time({MEMORY}{{{selector(workload)}}}[1h]))"
    found = server.series(query, start, now, HOUR)
    counts = {at: max(values.values()) for at, values in found.items() if values}
    if not counts:
        raise NoSeriesError(
            f"{redact_urls(server.url)}: no series {MEMORY} of {workload.title} in namespace {workload.namespace}; "
            "check that it scrapes cAdvisor of the kubelets, and keeps the labels namespace, pod and container"
        )
    return counts


def _chunk(
    server: PrometheusServer, enforced: EnforcedHistory, start: float, end: float, interval: float
) -> Iterator[list[ContainerUsage]]:
    chosen = enforced.chosen
    window = max(STEP, SCRAPES * interval)
    rate = f"rate({CPU}{{{chosen}}}[{math.ceil(window)}s])"
    cpu = server.series(f"sum by (pod, container) (max by (pod, container, cpu) ({rate}))", start, end, STEP)
    peak = f"max_over_time({MEMORY}{{{chosen}}}[{math.ceil(max(STEP, 2 * interval))}s])"
    memory = server.series(f"max by (pod, container) ({peak})", start, end, STEP)
    chunk = enforced.read(start, end, STEP, window)
    for at in sorted({*cpu, *memory}):
        yield list(_usages(at, cpu.get(at, {}), memory.get(at, {}), enforced, chunk))


def _usages(
    at: float, cpu: Values, memory: Values, enforced: EnforcedHistory, chunk: EnforcedChunk
) -> Iterator[ContainerUsage]:
    for pod, container in sorted({*cpu, *memory}):
        used, held = memory.get((pod, container)), enforced.at(chunk, at, (pod, container))
        yield ContainerUsage(
            pod_uid=pod,
            container=container,
            cpu_cores=cpu.get((pod, container)),
            memory_bytes=None if used is None else int(used),
            throttled_ratio=held.throttled,
            cpu_request=held.request,
            cpu_limit=held.limit,
            at=at,
        )


def _steps(start: float, end: float, step: float) -> Iterator[float]:
    at = start
    while at <= end:
        yield at
        at += step
