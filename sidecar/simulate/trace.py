"""Load over time: the request rate, and optionally concurrency and latency, from a CSV file.

The reader refuses a file as a whole, with the number of the first bad line. A stretch without data is a gap: the
simulation hides the metrics there and does not judge the service level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .csvfile import CsvColumns, read_rows, read_time, read_value
from .errors import TraceError

TIME, RATE, CONCURRENCY, LATENCY = "time", "requests_per_second", "concurrency", "latency"
REMEDY = f"the header is `{TIME},{RATE}`, optionally with `{CONCURRENCY}` and `{LATENCY}` (seconds)"
COLUMNS = CsvColumns((TIME, RATE), (CONCURRENCY, LATENCY), REMEDY)
GAP_STEPS = 3.0  # a distance of more than so many usual steps is a gap
MAX_SECONDS = 100 * 86_400.0
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LoadTrace:
    """Samples of the load: increasing Unix times, requests per second, and optional columns with NaN where empty.

    `gaps` are the pairs of (start, end) between which there are no data.
    """

    times: Floats
    rates: Floats
    concurrency: Floats | None = None
    latency: Floats | None = None
    gaps: tuple[tuple[float, float], ...] = ()

    @property
    def start(self) -> float:
        """Unix time of the first sample."""
        return float(self.times[0])

    @property
    def seconds(self) -> float:
        """Time from the first sample to the last one."""
        return float(self.times[-1] - self.times[0])

    def rates_at(self, times: Floats) -> Floats:
        """Return the request rate at `times`, by linear interpolation between the samples."""
        return np.interp(times, self.times, self.rates)

    def known_at(self, times: Floats) -> NDArray[np.bool_]:
        """Return for each of `times` whether it is outside of the gaps."""
        known = np.ones(len(times), dtype=bool)
        for start, end in self.gaps:
            known &= (times <= start) | (times >= end)
        return known


def read_csv(raw: bytes, where: str) -> LoadTrace:
    """Return the trace in the CSV `raw`; `where` names the file in errors. Raise TraceError.

    Times are Unix seconds or ISO 8601 (UTC without an offset) and increase. An empty cell is a missing value. Lines
    that are empty or start with `#` are skipped.
    """
    return from_samples([_sample(row, place) for place, row in read_rows(raw, where, COLUMNS)], where)


@dataclass(frozen=True, slots=True)
class LoadSample:
    """One row of a trace, and where it stands; NaN is a missing value."""

    time: float
    rate: float
    concurrency: float
    latency: float
    where: str


def from_samples(samples: Sequence[LoadSample], where: str) -> LoadTrace:
    """Return the trace of `samples`; raise TraceError for times that do not increase, or fewer than two samples."""
    for one, other in pairwise(samples):
        if not other.time > one.time:
            raise TraceError(
                f"{other.where}: the time {other.time:.3f} does not follow {one.time:.3f}; sort the rows by time, "
                "each time once"
            )
    known = [sample for sample in samples if not math.isnan(sample.rate)]
    if len(known) < 2:
        raise TraceError(f"{where}: {len(known)} samples with a request rate; at least 2 are needed")
    if known[-1].time - known[0].time > MAX_SECONDS:
        raise TraceError(f"{where}: the trace is longer than 100 days; give a shorter one, with times in seconds")
    columns = np.array([(s.time, s.rate, s.concurrency, s.latency) for s in known], dtype=float)
    return LoadTrace(columns[:, 0], columns[:, 1], _kept(columns[:, 2]), _kept(columns[:, 3]), _gaps(samples, known))


def _sample(row: Mapping[str, str], where: str) -> LoadSample:
    rate, concurrency, latency = (read_value(row, name, where) for name in (RATE, CONCURRENCY, LATENCY))
    return LoadSample(read_time(row[TIME], where), rate, concurrency, latency, where)


def _kept(values: Floats) -> Floats | None:
    return None if np.isnan(values).all() else values


def _gaps(samples: Sequence[LoadSample], known: Sequence[LoadSample]) -> tuple[tuple[float, float], ...]:
    """Return the stretches between neighbours of `known` that are too long, or in which a sample has no value."""
    usual = median(other.time - one.time for one, other in pairwise(samples))
    missing = {sample.time for sample in samples if math.isnan(sample.rate)}
    times = sorted(missing)
    found, place = [], 0
    for one, other in pairwise(known):
        while place < len(times) and times[place] < one.time:
            place += 1
        inside = place < len(times) and times[place] < other.time
        if inside or other.time - one.time > GAP_STEPS * usual:
            found.append((one.time, other.time))
    return tuple(found)
