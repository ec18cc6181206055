"""What a recommendation depends on, as plain values: the use of containers, and kills for memory.

A value of 0 means 0. What is not known is None.
"""

from __future__ import annotations

from dataclasses import dataclass

THROTTLED = 0.05  # least share of the time
AT_LIMIT = 0.95  # least share of the limit, if throttling is not measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """The use of one container of one pod.

    Attributes:
        pod_uid: the UID of the pod.
        container: the name of the container.
        cpu_cores: the mean use of CPU over the time of the measurement, in cores.
        memory_bytes: the working set, in bytes.
        throttled_ratio: the share of the time in which the container wanted to run and its CPU limit did not let it.
        cpu_request, cpu_limit: those in force while it was measured, in cores; None without one, or if not known.
        at: the time of the measurement, in epoch seconds.
    """

    pod_uid: str
    container: str
    cpu_cores: float | None
    memory_bytes: float | None
    throttled_ratio: float | None = None
    cpu_request: float | None = None
    cpu_limit: float | None = None
    at: float

    @property
    def throttled(self) -> bool:
        """Whether the CPU limit holds the container back: as measured, or else because nearly all of it is used."""
        if self.throttled_ratio is not None:
            return self.throttled_ratio >= THROTTLED
        return self.at_limit

    @property
    def at_limit(self) -> bool:
        """Whether nearly all of the CPU limit was used."""
        return self.cpu_limit is not None and self.cpu_cores is not None and self.cpu_cores >= AT_LIMIT * self.cpu_limit


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
