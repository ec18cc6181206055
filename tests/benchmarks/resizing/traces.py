"""The traces of the resizing benchmark: what one pod would use, by the minute, if nothing limited it.

The traces that the first releases were judged by are for tuning. Those with later numbers are held out: other seeds,
another recording, and with `slow` a kind that tuning does not have. `frozen.json` has the digest of each one, from
before its first run. `machine` is recorded (`record.py`): CPU and memory of groups of processes, a sample of five
seconds played as a minute. The other kinds are the load traces of the scaling benchmark as the CPU of one pod: a
request takes its service time of one core, and arrivals are random. `recorded` among them is the arrivals of real
departures; traces of 17 days end after 8. The memory of these kinds is modelled: a base, a share that follows the
load, and in half of the traces a larger model from some moment on.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pilotfish.sidecar.simulate.trace import Floats
from tests.benchmarks.scaling import traces as loads

FOLDER = Path(__file__).parent
FROZEN = FOLDER / "frozen.json"
RECORDED = tuple(FOLDER / "data" / name for name in ("machine.csv.gz", "machine-later.csv.gz"))
TUNING, HELD_OUT = PARTS = ("tuning", "held out")
NUMBERS = {TUNING: range(4), HELD_OUT: range(4, 8)}  # of each kind that is not recorded from a machine
MACHINES = 10  # the first number of a machine that is held out
KINDS = ("burst", "diurnal", "machine", "noise", "ramp", "recorded", "sawtooth", "weekly", "slow")
UNSEEN = "slow"  # no trace of this kind is for tuning
MINUTE, LONGEST, MIB = 60.0, 8 * 86400.0, 2.0**20


@dataclass(frozen=True)
class UseTrace:
    """What a pod would use in each minute: mean cores, and the largest working set in bytes."""

    name: str
    kind: str
    part: str
    cores: Floats
    memory: Floats

    @property
    def digest(self) -> str:
        """SHA-256 of the samples, in millicores and KiB."""
        found = hashlib.sha256()
        for values in (self.cores * 1000, self.memory / 1024):
            found.update(np.round(values).astype("<i8").tobytes())
        return found.hexdigest()


def names(part: str) -> list[str]:
    """Return the names of the traces of a part; `recorded` ones are absent if their package cannot be had."""
    available = {name.partition("-")[0] for name in loads.names(loads.TUNING)}
    kinds = [kind for kind in KINDS if kind in available and (part == HELD_OUT or kind != UNSEEN)]
    found = [f"{kind}-{number}" for kind in kinds for number in NUMBERS[part]]
    return sorted([*found, *(name for name in _machines() if _part("machine", name) == part)])


def sample(part: str) -> list[str]:
    """Return the names of the traces that are played with each setting of a grid: a quarter of them, of each kind."""
    return [name for name in names(part) if int(name.partition("-")[2]) % 4 == 0]


def _part(kind: str, name: str) -> str:
    number = int(name.partition("-")[2])
    return TUNING if number < (MACHINES if kind == "machine" else NUMBERS[HELD_OUT].start) else HELD_OUT


@cache
def trace(name: str) -> UseTrace:
    """Return the trace `name`, such as `burst-0`."""
    kind, _, text = name.partition("-")
    part = _part(kind, name)
    if kind == "machine":
        cores, memory = _machines()[name]
        return UseTrace(name, kind, part, cores, memory)
    frozen = loads.trace(name)
    seed = np.random.default_rng([18, KINDS.index(kind), int(text)])
    load, service = frozen.load, frozen.service
    at = np.arange(load.times[0], min(load.times[-1], load.times[0] + LONGEST), MINUTE) + MINUTE / 2
    rates = np.interp(at, load.times, load.rates)
    arrivals = (
        seed.poisson(rates * MINUTE * service.service_time / service.slots * 20) / 20
    )  # 20 requests a core-second
    cores = arrivals / MINUTE
    return UseTrace(name, kind, part, np.round(cores, 3), _modelled_memory(seed, cores, int(text)))


def check_frozen() -> None:
    """Raise ValueError for a trace that is not the frozen one."""
    frozen = json.loads(FROZEN.read_text())
    for part in PARTS:
        for name in names(part):
            if frozen[name] != trace(name).digest:
                raise ValueError(f"{name} is not the frozen trace; do not tune on changed traces")


def _modelled_memory(seed: np.random.Generator, cores: Floats, number: int) -> Floats:
    base, share = seed.uniform(200, 1500) * MIB, seed.uniform(30, 120) * MIB
    warm = 1 - 0.3 * np.exp(-np.arange(len(cores)) / 240)  # caches fill in the first hours
    found = base * warm + share * np.maximum(cores, np.roll(cores, 1)) * seed.lognormal(0, 0.05, len(cores))
    if number % 4 >= 2:  # a larger model from some moment on
        moment = int(seed.uniform(0.3, 0.8) * len(cores))
        found[moment:] += base * seed.uniform(0.2, 0.8)
    rounded: Floats = np.round(found)
    return rounded


@cache
def _machines() -> dict[str, tuple[Floats, Floats]]:
    """Return CPU and memory of the groups of each recording, in alphabetical order, by the name of the trace."""
    found: dict[str, tuple[Floats, Floats]] = {}
    for path, first in zip(RECORDED, (0, MACHINES), strict=True):
        found |= {f"machine-{number}": group for number, group in enumerate(_recording(path), first)}
    return found


def _recording(path: Path) -> Iterator[tuple[Floats, Floats]]:
    groups: dict[str, dict[float, tuple[float, float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            groups.setdefault(row["group"], {})[float(row["seconds"])] = float(row["cores"]), float(row["bytes"])
    times = sorted({at for group in groups.values() for at in group})
    for name in sorted(groups):
        values = np.array([groups[name].get(at, (0.0, 0.0)) for at in times])
        yield values[:, 0], values[:, 1]
