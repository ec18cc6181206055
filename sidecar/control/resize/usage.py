"""What a recommendation depends on, as plain values: the use of containers, and kills for memory.

A value of 0 means 0. What is not known is None.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """The use of one container of one pod.

    Attributes:
        pod_uid: the UID of the pod.
        container: the name of the container.
        cpu_cores: the mean use of CPU over the time of the measurement, in cores.
        memory_bytes: the working set, in bytes.
        throttled_ratio: the share of the time in which the container wanted to run and its CPU limit did not let it.
        at: the time of the measurement, in epoch seconds.
    """

    pod_uid: str
    container: str
    cpu_cores: float | None
    memory_bytes: float | None
    throttled_ratio: float | None = None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OomKill:
    """A kill of one container of one pod for its use of memory.

    Attributes:
        memory_bytes: the limit in force, or else the request, in bytes.
        at: the time of the kill, in epoch seconds.
    """

    pod_uid: str
    container: str
    memory_bytes: float
    at: float
