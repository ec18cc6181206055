"""The result of a simulation, from which the table, the page and the picture are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import number
from ..settings.units import show_duration
from .outcome import Outcome
from .plant import STEP, Service
from .play import Played
from .trace import Floats, LoadTrace

WIDTHS = (1, 3, 6, 12, 24, 60, 120, 180, 360, 720, 1440, 4320, 8640, 17_280)  # steps in one point of a chart


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


def width_of(steps: int, most: int) -> int:
    """Return the number of steps in one point, so that a chart has at most `most` points, or the largest width."""
    return next((width for width in WIDTHS if steps / width <= most), WIDTHS[-1])


def largest(values: Floats, width: int) -> Floats:
    """Return the largest value of each `width` steps."""
    return np.maximum.reduceat(values, np.arange(0, len(values), width))


def mean(values: Floats, width: int) -> Floats:
    """Return the mean value of each `width` steps."""
    starts = np.arange(0, len(values), width)
    sums: Floats = np.add.reduceat(values, starts) / np.diff([*starts, len(values)])
    return sums


def times(played: Played, width: int) -> Floats:
    """Return the Unix time at which each point starts."""
    starts: Floats = played.start + np.arange(0, len(played.arrived), width) * STEP
    return starts
