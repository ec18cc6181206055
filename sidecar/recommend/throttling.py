"""Whether the CPU limit of a container held it back, and how that is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ..control.resize.usage import AT_LIMIT, THROTTLED, ContainerUsage
from ..errors import number

How = Literal["inferred", "measured", "unknown", "unlimited"]
Limits = Literal["kube-state-metrics", "pods", "pods_now"]
Measure = Literal["periods", "seconds"]

THROTTLED_PERIODS = 0.25  # least share of the periods, as of the alert CPUThrottlingHigh of kubernetes-mixin
MEASURES: Mapping[Measure, str] = {
    "periods": f"those with at least {THROTTLED_PERIODS:.0%} of their scheduler periods throttled",
    "seconds": f"those in which the limit held it back for at least {THROTTLED:.0%} of the time",
}
LIMITS: Mapping[Limits, str] = {
    "kube-state-metrics": "limits by kube-state-metrics",
    "pods": "limits of the pods",
    "pods_now": "Prometheus has no limits of the past, so the present ones count for all of it",
}
STATUS_LACKS_IT = "the status of the ModelMonitor does not say; --ignore-status --prometheus URL reads it"
NO_CPU = "no use of CPU was measured"
ONLY_SLOW = (
    "it raises no CPU here, since spec.resources.latency allows that only above its target, and this command does not "
    "read the latency"
)


@dataclass(frozen=True, slots=True)
class ContainerThrottling:
    """How often the CPU limit of a container held it back.

    Attributes:
        how: `measured`, `inferred` from a use near the limit, `unlimited` without a limit, or `unknown`.
        samples, throttled: the CPU samples of which it is known, and those of them that were throttled.
        measure: the series of cAdvisor that measured it; None if none did.
        limits: where the limits are from: `pods` are those in force while the pods were sampled, `pods_now` the present
            ones, with a use of the past; None if they are not known.
        decides: whether it decides the recommended CPU.
        needs_latency: whether the document lets it raise the CPU only with a latency, which is not known here.
        why: why it is unknown.
    """

    how: How = "unknown"
    samples: int = 0
    throttled: int = 0
    measure: Measure | None = None
    limits: Limits | None = None
    decides: bool = False
    needs_latency: bool = False
    why: str = STATUS_LACKS_IT

    @property
    def text(self) -> str:
        """How it is known, and what follows, in words."""
        found = [self._found()]
        if self.limits is not None and self.how in ("inferred", "unlimited"):
            found.append(LIMITS[self.limits])
        if self.needs_latency and self.throttled:
            found.append(ONLY_SLOW)
        if self.decides:
            found.append("it decides the CPU target")
        return "; ".join(found)

    def _found(self) -> str:
        share = f"{self.throttled / self.samples:.1%} of {number(self.samples, 'sample')}" if self.samples else ""
        match self.how:
            case "measured":
                return f"measured by cAdvisor: {share}" + (f", {MEASURES[self.measure]}" if self.measure else "")
            case "inferred":
                return f"inferred: {share}, those with a use of at least {AT_LIMIT:.0%} of the limit"
            case "unlimited":
                return "none: it has no CPU limit"
            case "unknown":
                return f"unknown: {self.why}"


@dataclass(frozen=True, slots=True)
class ThrottlingSource:
    """Where throttling and limits of the containers of one workload are from, by container."""

    measures: Mapping[str, Measure]
    limits: Mapping[str, Limits]


LIVE = ThrottlingSource({}, {})


class ThrottlingCount:
    """Counts the samples of one container."""

    def __init__(self) -> None:
        self._measured = self._inferred = self._throttled = self._samples = 0

    def add(self, usages: Iterable[ContainerUsage]) -> None:
        """Count samples of the container."""
        for one in usages:
            if one.cpu_cores is None:
                continue
            self._samples += 1
            self._measured += one.throttled_ratio is not None
            self._inferred += one.throttled_ratio is None and one.cpu_limit is not None
            self._throttled += one.throttled

    def result(self, container: str, source: ThrottlingSource) -> ContainerThrottling:
        """Return what was counted; a container whose samples had no limit has none."""
        limits = source.limits.get(container, "pods")
        known = self._measured + self._inferred
        if not self._samples:
            return ContainerThrottling(why=NO_CPU)
        if not known:
            return ContainerThrottling("unlimited", limits=limits)
        how: How = "measured" if self._measured >= self._inferred else "inferred"
        measure = source.measures.get(container) if how == "measured" else None
        return ContainerThrottling(how, known, self._throttled, measure, limits)
