"""Recommendations for one container: from the status of a ModelMonitor, or computed from its use. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import msgspec

from ..podspec.amounts import KINDS, Kind
from ..podspec.quantity import quantity
from ..settings.status import ResourceAmounts, ResourcesStatus
from .throttling import ContainerThrottling
from .workload import Json

Source = Literal["status", "prometheus", "metrics"]
SOURCES: Mapping[Source, str] = {
    "status": "the status of the ModelMonitor",
    "prometheus": "Prometheus",
    "metrics": "metrics.k8s.io",
}
CONFIDENT_DAYS = 1.0  # with less, the bounds are wide
Bounds = Mapping[Kind, Fraction]  # cores or bytes


@dataclass(frozen=True, slots=True)
class ContainerRecommendation:
    """Requests that fit the use of a container.

    Attributes:
        target: the recommended requests, within the bounds of the document, if there is one.
        lower, upper: a request outside of them is too small or too large.
        confidence_days: days of observed use.
        samples: measurements.
        throttling: how often the CPU limit held the container back, and how that is known.
        uncapped: what the use asks for, without the bounds of the document or the minimum; empty if not known.
    """

    source: Source
    target: Bounds
    lower: Bounds
    upper: Bounds
    confidence_days: float
    samples: int
    uncapped: Bounds = field(default_factory=dict)
    throttling: ContainerThrottling = field(default_factory=ContainerThrottling)

    @property
    def is_confident(self) -> bool:
        """Whether the use was observed for long enough."""
        return self.confidence_days >= CONFIDENT_DAYS


def from_status(entry: Json) -> ContainerRecommendation | None:
    """Return the recommendation in an entry of `status.resources`; None if it has none yet, or another form."""
    try:
        found = msgspec.convert(entry, ResourcesStatus)
    except msgspec.ValidationError:
        return None
    target = _bounds(found.target)
    if not target:
        return None
    return ContainerRecommendation(
        source="status",
        target=target,
        lower=_bounds(found.lower_bound),
        upper=_bounds(found.upper_bound),
        confidence_days=found.confidence,
        samples=found.samples,
        uncapped=_bounds(found.uncapped),
    )


def _bounds(amounts: ResourceAmounts | None) -> Bounds:
    given = {"cpu": amounts.cpu, "memory": amounts.memory} if amounts else {}
    return exact({kind: quantity(given.get(kind)) for kind in KINDS})


def exact(amounts: Mapping[Kind, Fraction] | Mapping[Kind, float] | Mapping[Kind, Fraction | None]) -> Bounds:
    """Return amounts as Kubernetes writes them: cores in thousandths, and whole bytes; both are rounded up."""
    found: dict[Kind, Fraction] = {}
    for kind in KINDS:
        value = amounts.get(kind)
        if value is not None and value > 0:
            step = Fraction(1, 1000) if kind == "cpu" else Fraction(1)
            found[kind] = -(-Fraction(str(value)) // step) * step  # of a float its decimals: 0.05 is 50m, not 51m
    return found
