"""Where recommendations come from: the status of the monitors, else Prometheus, else samples that are taken now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..kube.client import Kube
from .compute import ContainerHistory, UseSample
from .history import NoSeriesError, PrometheusServer, find_enforced, read_history
from .recommended import ContainerRecommendation, Source, from_status
from .sampling import sample
from .throttling import LIVE, ThrottlingSource
from .workload import MeasuredWorkload

SAMPLED = 300.0  # seconds, if no time is asked for

Progress = Callable[[str, float], None]
Key = tuple[str, str]  # title of a workload, container


@dataclass(frozen=True)
class Choice:
    """What the person asked for: `seconds` of sampling, None if not asked for; `ignore_status` computes all anew."""

    server: PrometheusServer | None = None
    days: float = 8.0
    seconds: float | None = None
    ignore_status: bool = False


@dataclass(frozen=True)
class Measured:
    """What was found: recommendations, the use over time that some come from, and sentences about what is missing."""

    found: dict[Key, ContainerRecommendation] = field(default_factory=dict)
    use: dict[Key, Sequence[UseSample]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, histories: dict[Key, ContainerHistory], source: Source, throttling: ThrottlingSource = LIVE) -> None:
        """Add the results of histories; a container that is known already stays as it is."""
        for key, history in histories.items():
            recommended = history.recommended(source, throttling)
            if recommended is not None and key not in self.found:
                self.found[key], self.use[key] = recommended, history.use


async def measure(
    kube: Kube,
    workloads: Sequence[MeasuredWorkload],
    choice: Choice,
    progress: Progress,
    announce: Callable[[str], None],
) -> Measured:
    """Return the recommendations of all containers that a source knows.

    Raises PrometheusError, KubeError and UsageError for a source that does not answer.
    """
    measured = Measured({} if choice.ignore_status else dict(_of_status(workloads)))
    unknown = [
        one for one in workloads if any((one.title, name.name) not in measured.found for name in one.containers())
    ]
    if choice.server is not None:
        for workload in unknown:
            try:
                found = await asyncio.to_thread(_history, choice.server, workload, choice.days, progress)
            except NoSeriesError as error:
                measured.problems.append(str(error))
            else:
                measured.add(found[0], "prometheus", found[1])
        return measured
    if choice.seconds is None:  # do not let a person wait for containers that no monitor names
        unknown = [one for one in unknown if not any(title == one.title for title, _ in measured.found)]
        if unknown:
            announce("sampling metrics.k8s.io for 5 minutes; --prometheus URL knows more, and --for sets the time")
    if unknown:
        measured.add(await _samples(kube, unknown, choice.seconds or SAMPLED, progress), "metrics")
    return measured


def _of_status(workloads: Sequence[MeasuredWorkload]) -> Iterator[tuple[Key, ContainerRecommendation]]:
    for workload in workloads:
        for name, entry in workload.status.items():
            found = from_status(entry)
            if found is not None:
                yield (workload.title, name), found


def _history(
    server: PrometheusServer, workload: MeasuredWorkload, days: float, progress: Progress
) -> tuple[dict[Key, ContainerHistory], ThrottlingSource]:
    histories, now = _histories([workload]), time.time()
    enforced = find_enforced(server, workload, days, now)
    for usages in read_history(server, enforced, days, now, progress):
        for history in histories.values():
            history.add(usages)
    return histories, enforced.source


async def _samples(
    kube: Kube, workloads: Sequence[MeasuredWorkload], seconds: float, progress: Progress
) -> dict[Key, ContainerHistory]:
    histories, uids = _histories(workloads), {one.title: one.uids for one in workloads}
    for usages in await sample(kube, workloads, seconds, progress):
        for (title, _), history in histories.items():
            history.add([one for one in usages if one.pod_uid in uids[title]])
    return histories


def _histories(workloads: Sequence[MeasuredWorkload]) -> dict[Key, ContainerHistory]:
    return {
        (workload.title, container.name): ContainerHistory(workload, container)
        for workload in workloads
        for container in workload.containers()
    }
