"""The block `spec.resources` as the recommender uses it: percentiles, margins and bounds by resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from ...settings.resources import CpuRange, MemoryRange, Resources
from .histogram import HALF_LIFE

ResourceName = Literal["cpu", "memory"]
LOWER_PERCENTILE, UPPER_PERCENTILE = 0.5, 0.95  # of the bounds, unless that of the target is beyond


@dataclass(frozen=True, slots=True)
class PlanResource:
    """How one resource is recommended.

    `least` and `most` are cores or bytes, percentiles and the margin are shares, the half-life of samples is seconds.
    """

    least: float
    most: float
    lower: float
    target: float
    upper: float
    margin: float
    half_life: float

    @classmethod
    def of(cls, block: CpuRange | MemoryRange) -> Self:
        """Return the plan of `spec.resources.cpu` or `.memory`."""
        lower, upper = min(LOWER_PERCENTILE, block.percentile), max(UPPER_PERCENTILE, block.percentile)
        return cls(block.min, block.max, lower, block.percentile, upper, block.margin, block.half_life)


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """The plan of one container.

    Attributes:
        container: its name.
        resources: by name; one that is absent is not recommended.
        raises: whether throttling asks for more CPU.
        follows: whether the CPU then follows the load of the last minutes; not if a resize restarts the container.
        latency: the target of the latency quantile in seconds, below which throttling asks for nothing; None without.
        after_oom_kill: time for which the memory stays at what a kill asked for, in seconds.
        min_history: observation without which nothing should follow from the recommendation, in seconds.
    """

    container: str
    resources: Mapping[ResourceName, PlanResource]
    raises: bool
    follows: bool
    latency: float | None
    after_oom_kill: float
    min_history: float

    @classmethod
    def of(cls, settings: Resources) -> Self:
        """Return the plan of `spec.resources`."""
        found: dict[ResourceName, PlanResource] = {}
        if settings.cpu is not None:
            found["cpu"] = PlanResource.of(settings.cpu)
        if settings.memory is not None:
            found["memory"] = PlanResource.of(settings.memory)
        latency = settings.latency.target if settings.latency is not None else None
        kept = settings.memory.after_oom_kill if settings.memory is not None else 0.0
        fixed = settings.controlled_values == "RequestsOnly"  # more of the request leaves such a limit as it is
        raises = settings.cpu is not None and settings.cpu.raise_when_throttled and not fixed
        follows = settings.method == "inPlace" and not settings.allow_restart
        return cls(settings.container, found, raises, follows, latency, kept, settings.min_history)

    def half_life(self, name: ResourceName) -> float:
        """Return the half-life of the samples of a resource, in seconds, even if it is not recommended."""
        return self.resources[name].half_life if name in self.resources else HALF_LIFE
