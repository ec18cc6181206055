"""Use of containers now, from metrics.k8s.io: sampled for some minutes. The confidence of the result is low."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from ..control.manager.pods import epoch_seconds
from ..control.resize.usage import ContainerUsage
from ..errors import UsageError
from ..kube.client import Kube
from ..kube.errors import ForbiddenError, KubeError, NotFoundError
from ..kube.objects import POD_METRICS
from ..podspec.quantity import quantity
from .workload import Json, MeasuredWorkload, pod_name, pod_uid

EVERY = 15.0  # seconds between two requests; metrics-server measures every 15 to 60 s

Progress = Callable[[str, float], None]
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


async def sample(
    kube: Kube,
    workloads: Sequence[MeasuredWorkload],
    seconds: float,
    progress: Progress,
    *,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> list[list[ContainerUsage]]:
    """Return the use of all containers of the workloads, one list for each time at which something was measured.

    The first request decides whether there are metrics at all. Later ones that fail are repeated. Raises UsageError if
    nothing was measured, and ForbiddenError.
    """
    namespace = workloads[0].namespace
    pods = {pod_name(pod): (pod_uid(pod), workload) for workload in workloads for pod in workload.pods}
    found: dict[tuple[str, str, float], ContainerUsage] = {}
    started, problem = clock(), ""
    while True:
        try:
            listed = await kube.request("GET", POD_METRICS.path(namespace))
        except (ForbiddenError, NotFoundError) as error:
            raise _without_metrics(error) from error
        except KubeError as error:
            problem = str(error)
        else:
            found |= {(one.pod_uid, one.container, one.at): one for one in usages(listed, pods)}
        passed = clock() - started
        progress("sampling metrics.k8s.io", min(1.0, passed / seconds))
        if passed >= seconds:
            break
        await sleep(min(EVERY, seconds - passed))
    if not found:
        why = problem or f"metrics.k8s.io has no metrics of the {len(pods)} pods"
        raise UsageError(f"nothing was measured: {why}; check metrics-server, or give --prometheus URL")
    times = sorted({one.at for one in found.values()})
    return [[one for one in found.values() if one.at == at] for at in times]


def usages(metrics: object, pods: Mapping[str, tuple[str, MeasuredWorkload]]) -> Iterator[ContainerUsage]:
    """Yield the use of the containers in a PodMetricsList; invalid parts are left out.

    `pods` has the UID and the workload of each pod by its name; other pods are left out.
    """
    for item in _objects(metrics, "items"):
        metadata, at = item.get("metadata"), _time(item.get("timestamp"))
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str) or name not in pods or at is None:
            continue
        for container in _objects(item, "containers"):
            found = container.get("usage")
            used = found if isinstance(found, dict) else {}
            cpu, memory = quantity(used.get("cpu")), quantity(used.get("memory"))
            called = container.get("name")
            if isinstance(called, str) and (cpu is not None or memory is not None):
                uid, workload = pods[name]
                request, limit = workload.cpu_in_force(name, called)
                yield ContainerUsage(
                    pod_uid=uid,
                    container=called,
                    cpu_cores=None if cpu is None else float(cpu),
                    memory_bytes=None if memory is None else int(memory),
                    cpu_request=request,
                    cpu_limit=limit,
                    at=at,
                )


def _without_metrics(error: KubeError) -> KubeError | UsageError:
    if isinstance(error, ForbiddenError):
        return error
    return UsageError("the cluster does not serve metrics.k8s.io; install metrics-server, or give --prometheus URL")


def _objects(value: object, key: str) -> list[Json]:
    listed = value.get(key) if isinstance(value, dict) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _time(value: object) -> float | None:
    try:
        return epoch_seconds(value) if isinstance(value, str) else None
    except (OSError, OverflowError, ValueError):
        return None
