"""What the sources of resizing return: the use of containers, and what limits the resources of pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .trouble import Trouble

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PodMetricsReading:
    """The PodMetricsList of a namespace as JSON, read at the epoch second `at`; `problem` is why it is unknown."""

    found: object = None
    at: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node has for pods in cores and bytes, and its `declaredFeatures`; None if it declares none."""

    allocatable: Mapping[str, Fraction] = field(default_factory=dict)
    features: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class NamespaceLimits:
    """What limits the resources of the pods of a namespace.

    `version` is that of the API server, None if it is unknown. `nodes` are by name; one that could not be read is
    absent. `problem` is the first list that could not be read.
    """

    limit_ranges: tuple[Item, ...] = ()
    quotas: tuple[Item, ...] = ()
    version: tuple[int, int] | None = None
    nodes: Mapping[str, NodeFacts] = field(default_factory=dict)
    problem: Trouble | None = None


NO_LIMITS = NamespaceLimits()
