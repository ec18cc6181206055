"""Use over time from a CSV file: for each monitor the cores and the memory that it wants, and its request rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ..csvfile import CsvColumns, read_rows, read_time, read_value
from ..errors import TraceError
from ..trace import GAP_STEPS, MAX_SECONDS, Floats

TIME, MONITOR, CPU, RATE, MEMORY = "time", "monitor", "cpu", "requests_per_second", "memory"
REMEDY = (
    f"the header is `{TIME},{CPU}` (cores that all pods want), optionally with `{MONITOR}`, `{RATE}` and `{MEMORY}` "
    "(bytes that a pod wants)"
)
COLUMNS = CsvColumns((TIME, CPU), (MONITOR, RATE, MEMORY), REMEDY)
MOST_CORES, MOST_BYTES = 100_000.0, 2.0**50


@dataclass(frozen=True)
class UsageTrace:
    """The use that one monitor wants: increasing Unix times, cores of all pods, and optional columns.

    A missing value of cores is not in it; it is a gap between its neighbours, as a long distance is. `rates` are
    requests per second, `memory` the bytes of each pod.
    """

    monitor: str
    times: Floats
    cpu: Floats
    rates: Floats | None
    memory: Floats | None
    gaps: tuple[tuple[float, float], ...]

    @property
    def start(self) -> float:
        """Unix time of the first sample."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """Unix time of the last sample."""
        return float(self.times[-1])

    def at(self, values: Floats, times: Floats) -> Floats:
        """Return a column at `times`, by linear interpolation between its known values."""
        known = ~np.isnan(values)
        return np.interp(times, self.times[known], values[known])

    def known_at(self, times: Floats) -> NDArray[np.bool_]:
        """Return for each of `times` whether it is within the samples and outside of the gaps."""
        known = (times >= self.start) & (times <= self.end)
        for start, end in self.gaps:
            known &= (times <= start) | (times >= end)
        return known


@dataclass(frozen=True, slots=True)
class _Sample:
    time: float
    cpu: float
    rate: float
    memory: float
    where: str


def read_usage(raw: bytes, where: str, alone: str) -> dict[str, UsageTrace]:
    """Return the use by monitor in the CSV `raw`; raise TraceError.

    Without the column `monitor`, all rows are of the monitor `alone`. Times increase for each monitor.
    """
    found: dict[str, list[_Sample]] = {}
    for place, row in read_rows(raw, where, COLUMNS):
        name = row.get(MONITOR, alone)
        if not name:
            raise TraceError(f"{place}: no {MONITOR}; give its name in each row")
        values = (
            read_value(row, CPU, place, MOST_CORES), read_value(row, RATE, place),
            read_value(row, MEMORY, place, MOST_BYTES),
        )  # fmt: skip
        found.setdefault(name, []).append(_Sample(read_time(row[TIME], place), *values, place))
    if not found:
        raise TraceError(f"{where}: no samples; at least 2 are needed")
    return {name: _trace(name, samples, where) for name, samples in found.items()}


def _trace(monitor: str, samples: Sequence[_Sample], where: str) -> UsageTrace:
    for one, other in pairwise(samples):
        if not other.time > one.time:
            raise TraceError(
                f"{other.where}: the time {other.time:.3f} of {monitor} does not follow {one.time:.3f}; sort the rows "
                "by time, each time once for each monitor"
            )
    known = [sample for sample in samples if not math.isnan(sample.cpu)]
    if len(known) < 2:
        raise TraceError(f"{where}: {len(known)} samples of {monitor} with cores; at least 2 are needed")
    if known[-1].time - known[0].time > MAX_SECONDS:
        raise TraceError(f"{where}: the use is longer than 100 days; give a shorter one, with times in seconds")
    columns = np.array([(s.time, s.cpu, s.rate, s.memory) for s in known], dtype=float)
    times, cpu, rates, memory = columns.T
    usual = median(other.time - one.time for one, other in pairwise(samples))
    missing = np.array([sample.time for sample in samples if math.isnan(sample.cpu)])
    holes = np.diff(np.searchsorted(missing, times)) > 0
    gaps = tuple(
        (one.time, other.time)
        for (one, other), hole in zip(pairwise(known), holes.tolist(), strict=True)
        if hole or other.time - one.time > GAP_STEPS * usual
    )
    return UsageTrace(monitor, times, cpu, _kept(rates), _kept(memory), gaps)


def _kept(values: Floats) -> Floats | None:
    return None if np.isnan(values).all() else values
