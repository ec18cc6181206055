"""What the recommender of one container keeps between two evaluations: plain values in the checkpoint of the monitor.

It stays below 32 KiB. A later release may add fields with defaults.
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

from ...errors import PilotfishError
from .histogram import HistogramState

MAX_BYTES = 32 * 1024
MAX_PODS = 20_000  # in memory; a pod without its interval adds a peak with each sample
MAX_STORED_PODS = 240  # the others start a new interval with the next leader, which counts their peak twice
MAX_UID = 48  # characters; a UID has 36


class ResizeStateError(PilotfishError):
    """Stored bytes are not a ResizeState."""


class PodPeak(msgspec.Struct, frozen=True, array_like=True):
    """The memory of one pod in its current interval, and its last samples. Times are epoch seconds, 0 for never.

    Attributes:
        cpu_at, memory_at: of the last samples.
        until: the end of the interval.
        peak: the largest working set in the interval, in bytes.
        oom_peak: what a kill for memory asked for in the interval, in bytes.
        killed_at: of the last kill for memory.
        throttled: the number of CPU samples in a row, up to the last one, that the CPU limit throttled; at most 2.
    """

    cpu_at: float = 0.0
    memory_at: float = 0.0
    until: float = 0.0
    peak: int = 0
    oom_peak: int = 0
    killed_at: float = 0.0
    throttled: int = 0

    @property
    def seen_at(self) -> float:
        """The time of the last sample."""
        return max(self.cpu_at, self.memory_at, self.killed_at)

    def moved(self, seconds: float) -> PodPeak:
        """Return it with all times later by `seconds`."""
        at = {name: value + seconds for name in _TIMES if (value := getattr(self, name))}
        return msgspec.structs.replace(self, **at)


_TIMES = ("cpu_at", "memory_at", "until", "killed_at")


class Floor(msgspec.Struct, frozen=True, array_like=True):
    """Memory in bytes that the last kills asked for, and the time of the last one, in epoch seconds."""

    memory: int = 0
    at: float = 0.0


class HiddenDemand(msgspec.Struct, frozen=True, array_like=True):
    """What the CPU limit hides of the present. Requests are millicores, times are epoch seconds, 0 for never.

    A use is given as the request with which the CPU limit would equal it.

    Attributes:
        at: of the last throttled sample that counted.
        step: the request that it asked for; 0 once a larger use than the throttled ones was measured, or in vain.
        level: the greatest throttled use since the step.
        since, peak, before: the begin of a period, the greatest use in it, and in the period before it.
        failed, failed_at: the largest request that was throttled although less than the limit was used, and when.
        inferred: whether throttling was inferred from the use, and not measured.
    """

    at: float = 0.0
    step: int = 0
    level: int = 0
    since: float = 0.0
    peak: int = 0
    before: int = 0
    failed: int = 0
    failed_at: float = 0.0
    inferred: bool = False

    def moved(self, seconds: float) -> HiddenDemand:
        """Return it with all times later by `seconds`."""
        at = {name: value + seconds for name in ("at", "since", "failed_at") if (value := getattr(self, name))}
        return msgspec.structs.replace(self, **at)


class ResizeState(msgspec.Struct, frozen=True):
    """The memory of the recommender of one container, over all of its pods.

    Attributes:
        cpu: of all samples, in cores; those that the CPU limit throttled are censored.
        memory: of one peak for each pod and interval, in bytes.
        first_at, last_at: of the first and the last CPU sample, in epoch seconds; 0 before the first.
        latest_at: of the latest sample of all, in epoch seconds.
        samples: the number of CPU samples.
        pods: by UID.
        floor, throttling: of kills for memory, and of the CPU limit.
    """

    cpu: HistogramState = HistogramState()
    memory: HistogramState = HistogramState()
    first_at: float = 0.0
    last_at: float = 0.0
    latest_at: float = 0.0
    samples: int = 0
    pods: dict[str, PodPeak] = {}
    floor: Floor = Floor()
    throttling: HiddenDemand = HiddenDemand()

    def encode(self) -> bytes:
        """Return the state as MessagePack, at most MAX_BYTES, without some of the pods if there are many."""
        return msgspec.msgpack.encode(msgspec.structs.replace(self, pods=newest(self.pods, MAX_STORED_PODS)))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return a stored state.

        Raises:
            ResizeStateError: the bytes are damaged, or of a later release.
        """
        if len(data) > MAX_BYTES:
            raise ResizeStateError(
                f"state of the resources: {len(data)} bytes, more than {MAX_BYTES}; it starts from zero"
            )
        try:
            found = msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ResizeStateError(f"state of the resources: cannot be read ({error}); it starts from zero") from error
        if not found.valid:
            raise ResizeStateError("state of the resources: has impossible values; it starts from zero")
        return found

    @property
    def valid(self) -> bool:
        """Whether it can be a state, and not something that was damaged while it was stored."""
        pods = (number for pod in self.pods.values() for number in msgspec.structs.astuple(pod))
        throttling = msgspec.structs.astuple(self.throttling)
        numbers = (self.first_at, self.last_at, self.latest_at, self.floor.at, *throttling, *pods)
        return self.cpu.valid and self.memory.valid and all(math.isfinite(number) for number in numbers)

    def moved(self, seconds: float) -> ResizeState:
        """Return the state with all times later by `seconds`."""
        at = {name: value + seconds for name in ("first_at", "last_at", "latest_at") if (value := getattr(self, name))}
        return msgspec.structs.replace(
            self,
            cpu=self.cpu.moved(seconds),
            memory=self.memory.moved(seconds),
            pods={uid: pod.moved(seconds) for uid, pod in self.pods.items()},
            floor=Floor(self.floor.memory, self.floor.at + seconds),
            throttling=self.throttling.moved(seconds),
            **at,
        )


def newest(pods: dict[str, PodPeak], most: int) -> dict[str, PodPeak]:
    """Return `most` pods at most: those that were killed, whose kill must not count twice, then those seen last."""
    if len(pods) <= most:
        return pods
    chosen = sorted(pods, key=lambda uid: (pods[uid].killed_at > 0, pods[uid].seen_at), reverse=True)[:most]
    return {uid: pods[uid] for uid in chosen}
