"""The traces of the scaling benchmark. They were frozen before any tuning; `frozen.json` has the digest of each one.

Each trace comes with the service that receives it. Parameters come from the seed only. Traces of an even number are for
tuning, those of an odd number are held out. Kinds: `burst` (sudden peaks), `diurnal` (four similar days), `noise`
(steady, with random variation), `ramp` (linear up and down), `recorded` (departures of real flights), `sawtooth`,
`slow` (starts of several minutes), `weekly` (17 days with quieter weekends).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from pilotfish.sidecar.simulate.trace import Floats, LoadTrace
from tests.support.datasets import DatasetError, dataset

FROZEN = Path(__file__).with_name("frozen.json")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
START = 1_767_571_200.0  # Monday, 2026-01-05
TUNING, HELD_OUT = "tuning", "held out"
HALVES = (TUNING, HELD_OUT)


@dataclass(frozen=True)
class Service:
    """What serves the load of a trace; times are seconds. The service level: 95 % of responses within `target`."""

    service_time: float
    slots: int
    startup: float
    target: float
    minimum: int = 2
    maximum: int = 40


@dataclass(frozen=True)
class FrozenTrace:
    """A trace, its service and its half."""

    name: str
    kind: str
    half: str
    load: LoadTrace
    service: Service

    @property
    def digest(self) -> str:
        """SHA-256 of the samples, rounded to a thousandth, and of the service."""
        found = hashlib.sha256(repr(self.service).encode())
        for values in (self.load.times, self.load.rates):
            found.update(np.round(values * 1000).astype("<i8").tobytes())
        return found.hexdigest()


def names(half: str) -> list[str]:
    """Return the names of the traces of a half; `recorded` ones are absent if their package cannot be had."""
    kinds = [kind for kind in KINDS if kind != "recorded" or _departures() is not None]
    return [f"{kind}-{number}" for kind in kinds for number in range(4) if HALVES[number % 2] == half]


@cache
def trace(name: str) -> FrozenTrace:
    """Return the trace `name`, such as `burst-0`."""
    kind, _, text = name.partition("-")
    number = int(text)
    load, service = KINDS[kind](np.random.default_rng([16, sorted(KINDS).index(kind), number]), number)
    return FrozenTrace(name, kind, HALVES[number % 2], load, service)


def traces(half: str) -> list[FrozenTrace]:
    """Return the traces of a half."""
    return [trace(name) for name in names(half)]


def check_frozen() -> None:
    """Raise ValueError for a trace that is not the frozen one."""
    frozen = json.loads(FROZEN.read_text())
    for half in HALVES:
        for one in traces(half):
            if frozen[one.name] != one.digest:
                raise ValueError(f"{one.name} is not the frozen trace; do not tune on changed traces")


def _service(seed: np.random.Generator, startup: tuple[float, float] = (20.0, 90.0)) -> Service:
    """Return a model server that takes 40 to 400 ms for a request and 2 to 8 requests at once."""
    service_time = float(np.round(seed.uniform(0.04, 0.4), 3))
    slots = int(seed.integers(2, 9))
    return Service(service_time, slots, float(np.round(seed.uniform(*startup))), round(6.0 * service_time, 3))


def _load(seconds: float, step: float, replicas: Callable[[Floats], Floats], service: Service) -> LoadTrace:
    """Return the load that keeps so many replicas wholly busy, at each time from the start."""
    offsets = np.arange(0.0, seconds + step, step)
    rates = np.maximum(replicas(offsets), 0.0) * service.slots / service.service_time
    return LoadTrace(START + offsets, np.round(rates, 3))


def _smooth_noise(seed: np.random.Generator, count: int, share: float, memory: float) -> Floats:
    """Return factors around 1: exp of an AR(1) process with standard deviation `share`."""
    shocks = seed.normal(0.0, share * np.sqrt(1.0 - memory**2), count)
    values, last = np.empty(count), 0.0
    for place, shock in enumerate(shocks):
        last = memory * last + shock
        values[place] = last
    return np.exp(values)


def _daily(at: Floats, peak_hour: float, sharpness: float) -> Floats:
    """Return a day's shape from 0 (at night) to 1 (at `peak_hour`)."""
    phase = 2.0 * np.pi * (at / DAY - peak_hour / 24.0)
    shape: Floats = ((1.0 + np.cos(phase)) / 2.0) ** sharpness
    return shape


def _burst(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed)
    base, peaks = seed.uniform(1.5, 4.0), int(seed.integers(4, 9))
    starts = np.sort(seed.uniform(0.5 * HOUR, 23.0 * HOUR, peaks))
    heights, lengths = seed.uniform(1.0, 4.0, peaks) * base, seed.uniform(3 * MINUTE, 40 * MINUTE, peaks)
    rises = seed.uniform(5.0, 120.0, peaks)

    def replicas(at: Floats) -> Floats:
        total = base * np.interp(at, np.arange(0, DAY + 600, 600.0), _smooth_noise(seed, 145, 0.08, 0.9))
        for start, height, length, rise in zip(starts, heights, lengths, rises, strict=True):
            total += height * np.clip((at - start) / rise, 0, 1) * np.where(
                at < start + length, 1.0, np.exp(-(at - start - length) / (2 * MINUTE))
            )  # fmt: skip
        return total

    return _load(DAY, 15.0, replicas, service), service


def _diurnal(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed, (30.0, 180.0))
    low, high, peak = seed.uniform(1.0, 2.5), seed.uniform(8.0, 18.0), seed.uniform(9.0, 21.0)
    sharpness = seed.uniform(1.0, 2.5)

    def replicas(at: Floats) -> Floats:
        days = np.interp(at, np.arange(0, 5) * DAY, seed.uniform(0.92, 1.08, 5))
        noise = np.interp(at, np.arange(0, 4 * DAY + 300, 300.0), _smooth_noise(seed, 1153, 0.05, 0.9))
        return (low + (high - low) * _daily(at, peak, sharpness)) * days * noise

    return _load(4 * DAY, 60.0, replicas, service), service


def _noise(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed)
    level, share, memory = seed.uniform(3.0, 12.0), seed.uniform(0.05, 0.25), seed.uniform(0.5, 0.97)

    def replicas(at: Floats) -> Floats:
        return level * np.interp(at, np.arange(0, DAY + 30, 30.0), _smooth_noise(seed, 2881, share, memory))

    return _load(DAY, 15.0, replicas, service), service


def _ramp(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed)
    turns = np.concatenate([[0.0], np.sort(seed.uniform(0.05, 0.95, 7)), [1.0]]) * DAY
    levels = seed.uniform(1.5, 14.0, len(turns))
    return _load(DAY, 15.0, lambda at: np.interp(at, turns, levels), service), service


def _sawtooth(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed)
    low, high, period = seed.uniform(1.5, 3.0), seed.uniform(6.0, 14.0), seed.uniform(20 * MINUTE, 3 * HOUR)
    return _load(DAY, 15.0, lambda at: low + (high - low) * ((at / period) % 1.0), service), service


def _slow(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed, (180.0, 600.0))
    low, high, peak = seed.uniform(1.5, 3.0), seed.uniform(7.0, 14.0), seed.uniform(9.0, 21.0)
    jumps, sizes = np.sort(seed.uniform(0.0, 4 * DAY, 6)), seed.uniform(0.2, 0.6, 6)

    def replicas(at: Floats) -> Floats:
        total = (low + (high - low) * _daily(at, peak, 1.5)) * np.interp(
            at, np.arange(0, 4 * DAY + 300, 300.0), _smooth_noise(seed, 1153, 0.06, 0.9)
        )
        for jump, size in zip(jumps, sizes, strict=True):
            total *= 1.0 + size * ((at >= jump) & (at < jump + 45 * MINUTE))
        return total

    return _load(4 * DAY, 60.0, replicas, service), service


def _weekly(seed: np.random.Generator, _: int) -> tuple[LoadTrace, Service]:
    service = _service(seed, (60.0, 300.0))
    low, high, peak = seed.uniform(1.0, 2.0), seed.uniform(8.0, 16.0), seed.uniform(10.0, 20.0)
    weekend = seed.uniform(0.4, 0.7)

    def replicas(at: Floats) -> Floats:
        quiet = np.where((at // DAY) % 7 >= 5, weekend, 1.0)
        noise = np.interp(at, np.arange(0, 17 * DAY + 600, 600.0), _smooth_noise(seed, 2449, 0.06, 0.9))
        return (low + (high - low) * _daily(at, peak, 1.6)) * quiet * noise

    return _load(17 * DAY, 300.0, replicas, service), service


def _recorded(seed: np.random.Generator, number: int) -> tuple[LoadTrace, Service]:
    """Return the departures of 17 days of 2013 from the airports of New York, counted in quarters of an hour."""
    service = _service(seed, (60.0, 300.0))
    month, day = ((2, 4), (5, 6), (8, 5), (10, 7), (1, 7), (3, 11), (6, 10), (9, 9))[number]  # Mondays
    first = datetime(2013, month, day, tzinfo=UTC).timestamp()
    step, days = 900.0, 17
    found = _departures()
    assert found is not None
    counts, _ = np.histogram(found, np.arange(int(days * DAY / step) + 1) * step + first)
    replicas = 0.8 + counts / counts.max() * seed.uniform(10.0, 18.0)
    offsets = np.arange(len(counts)) * step + step / 2
    rates = replicas * service.slots / service.service_time
    return LoadTrace(START + offsets, np.round(rates, 3)), service


@cache
def _departures() -> Floats | None:
    """Return the times of all departures of 2013 in their local time as if it were UTC; None without the package."""
    try:
        path = dataset("flights.csv")
    except DatasetError:
        return None
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["dep_time"].isdigit():  # else it was cancelled
                clock = int(row["dep_time"])
                day = datetime(2013, int(row["month"]), int(row["day"]), tzinfo=UTC).timestamp()
                found.append(day + (clock // 100) * HOUR + (clock % 100) * MINUTE)
    return np.array(found)


KINDS: dict[str, Callable[[np.random.Generator, int], tuple[LoadTrace, Service]]] = {
    "burst": _burst,
    "diurnal": _diurnal,
    "noise": _noise,
    "ramp": _ramp,
    "recorded": _recorded,
    "sawtooth": _sawtooth,
    "slow": _slow,
    "weekly": _weekly,
}
