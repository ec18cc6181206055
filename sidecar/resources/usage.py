"""What a group of processes uses: samples, and counters that never fall although processes and cgroups change."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MINUTE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSample:
    """One look at a group of processes. A value that is not available is None.

    Attributes:
        at_ns: monotonic time.
        source: identity of the counters; they start anew when it changes.
        cgroup: identity of the cgroup, whose kills for memory outlive its processes; "" without one.
        method: `cgroup v1`, `cgroup v2` or `processes`.
        cpu_ns, throttled_ns: counters, in ns.
        pressure_ns: counters of PSI (some) by resource, in ns.
        memory, memory_limit: bytes. Working set of a cgroup, else the sum of resident sets.
        oom_kills: counter.
        received, sent: counters of bytes of the network namespace.
    """

    at_ns: int
    source: str
    method: str
    processes: int
    threads: int
    cpu_ns: int | None = None
    throttled_ns: int | None = None
    pressure_ns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    memory: int | None = None
    memory_limit: int | None = None
    oom_kills: int | None = None
    cgroup: str = ""
    received: int | None = None
    sent: int | None = None

    def counters(self) -> dict[str, int]:
        """Return the counters that are available, by name."""
        named = {
            "cpu": self.cpu_ns,
            "oom_kills": self.oom_kills,
            "received": self.received,
            "sent": self.sent,
            "throttled": self.throttled_ns,
            **{f"pressure_{resource}": amount for resource, amount in self.pressure_ns.items()},
        }
        return {name: amount for name, amount in named.items() if amount is not None}


class UsageMeter:
    """Adds the growth of counters up. Call `add` with each sample, in order.

    What a process used before its first sample does not count. A counter that falls starts anew from its first value.
    """

    def __init__(self) -> None:
        self._last: UsageSample | None = None
        self._kills: tuple[str, int] | None = None  # of which cgroup, and how many
        self._recent: deque[tuple[int, int]] = deque()  # time and growth of the CPU counter

    @property
    def last(self) -> UsageSample | None:
        """The last sample; None before the first, and while there is none."""
        return self._last

    def add(self, sample: UsageSample | None) -> dict[str, int]:
        """Return by how much the counters grew since the previous sample; 0 for counters that are new."""
        last, self._last = self._last, sample
        if sample is None:
            self._recent.clear()
            return {}
        before = last.counters() if last is not None and last.source == sample.source else {}
        growth = {name: max(0, amount - before.get(name, amount)) for name, amount in sample.counters().items()}
        if sample.cgroup and sample.oom_kills is not None:  # also one that ended the previous process
            kills, self._kills = self._kills, (sample.cgroup, sample.oom_kills)
            if kills is not None and kills[0] == sample.cgroup:
                growth["oom_kills"] = max(0, sample.oom_kills - kills[1])
        if not before:
            self._recent.clear()
        self._recent.append((sample.at_ns, growth.get("cpu", 0)))
        while sample.at_ns - self._recent[0][0] > MINUTE_NS:
            self._recent.popleft()
        return growth

    @property
    def cores(self) -> float | None:
        """Mean CPU time per second of the last minute; None before the second sample, and without the counter."""
        if len(self._recent) < 2 or self._last is None or self._last.cpu_ns is None:
            return None
        elapsed = self._recent[-1][0] - self._recent[0][0]
        used = sum(amount for _, amount in list(self._recent)[1:])
        return used / elapsed if elapsed > 0 else None
