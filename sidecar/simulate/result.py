"""The result of a simulation, from which the table, the page and the picture are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import number
from ..settings.units import show_duration
from .outcome import Outcome
from .plant import Service
from .play import Played
from .trace import LoadTrace


@dataclass(frozen=True)
class PlayedPolicy:
    """A policy by the name that readers see, with what it did."""

    name: str
    played: Played
    outcome: Outcome


@dataclass(frozen=True)
class Simulation:
    """All policies on one trace. `assumptions` and `notes` are sentences for the reader."""

    title: str
    trace: LoadTrace
    service: Service
    policies: Sequence[PlayedPolicy]
    assumptions: Sequence[str]
    notes: Sequence[str]


def describe_trace(trace: LoadTrace) -> Iterator[str]:
    """Yield a sentence about the load, and one about its gaps."""
    yield (
        f"load: {show_duration(round(trace.seconds))}, {len(trace.times):,} samples, {trace.rates.min():.4g} to "
        f"{trace.rates.max():.4g} requests per second"
    )
    if trace.gaps:
        lost = sum(end - start for start, end in trace.gaps)
        yield (
            f"gaps: {number(len(trace.gaps), 'gap')}, {show_duration(round(lost))} in total; the metrics are missing "
            "there, and these minutes are not judged"
        )


def describe_service(service: Service, source: str) -> Iterator[str]:
    """Yield sentences about the simulated replicas; `source` says where the service time comes from."""
    yield (
        f"replica: {service.service_time:.4g} s for a request ({source}), {number(service.slots, 'request')} at once, "
        f"so at most {service.capacity:.4g} requests per second; ready {show_duration(service.startup)} after its start"
    )
    yield f"service level: {service.quantile:.4g} of each minute's responses within {show_duration(service.target)}"
