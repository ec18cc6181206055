"""The protocol of scaling signals that do not come from the sidecars: metrics.k8s.io, a Prometheus.

The manager reads every source once per interval of the recommender. A source bounds its own time, and never raises: a
signal that it cannot read is absent from the reading, and `problems` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...settings.document import ModelMonitor
from ..scale.facts import ExternalFact, Sample
from .key import MonitorKey
from .selectors import Selector

SOURCE_SECONDS = 5.0  # the longest time that a source may take


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRequest:
    """What a monitor wants to be read.

    `selector` selects the pods of the target, and `pods` are the names of those that exist. `now` is in epoch seconds.
    """

    key: MonitorKey
    document: ModelMonitor
    selector: Selector
    pods: frozenset[str]
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReading:
    """What a source has read.

    Attributes:
        totals: values for the target as a whole, such as the result of a query, with their times.
        by_pod: values by signal id and pod name; a pod without a value is missing.
        requests: for CPU and memory by signal id and pod name, in cores and bytes; also of pods without a value.
        problems: by signal id, why it cannot be read, and what to do.
    """

    totals: tuple[ExternalFact, ...] = ()
    by_pod: Mapping[str, Mapping[str, Sample]] = field(default_factory=dict)
    requests: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


class SignalSource(Protocol):
    """One source of signals for all monitors; it skips the signals of `wanted.document` that are not its own."""

    async def read(self, wanted: SignalRequest) -> SignalReading:
        """Return the signals of `wanted` that this source can read, within SOURCE_SECONDS."""
