"""The traces of the resizing benchmark: what one pod would use, by the minute, if nothing limited it.

Traces of an even number are for tuning, those of an odd number are held out; `frozen.json` has the digest of each one,
from before the first run. `machine` is recorded (`record.py`): CPU and memory of groups of processes, a sample of five
seconds played as a minute. The other kinds are the load traces of the scaling benchmark as the CPU of one pod: a
request takes its service time of one core, and arrivals are random. `recorded` among them is the arrivals of real
departures; traces of 17 days end after 8. The memory of these kinds is modelled: a base, a share that follows the load,
and in half of the traces a larger model from some moment on.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pilotfish.sidecar.simulate.trace import Floats
from tests.benchmarks.scaling import traces as loads

FOLDER = Path(__file__).parent
FROZEN, RECORDED = FOLDER / "frozen.json", FOLDER / "data" / "machine.csv.gz"
TUNING, HELD_OUT = loads.TUNING, loads.HELD_OUT
HALVES = loads.HALVES
KINDS = ("burst", "diurnal", "machine", "noise", "ramp", "recorded", "sawtooth", "weekly")
MINUTE, LONGEST, MIB = 60.0, 8 * 86400.0, 2.0**20


@dataclass(frozen=True)
class UseTrace:
    """What a pod would use in each minute: mean cores, and the largest working set in bytes."""

    name: str
    kind: str
    half: str
    cores: Floats
    memory: Floats

    @property
    def digest(self) -> str:
        """SHA-256 of the samples, in millicores and KiB."""
        found = hashlib.sha256()
        for values in (self.cores * 1000, self.memory / 1024):
            found.update(np.round(values).astype("<i8").tobytes())
        return found.hexdigest()


def names(half: str) -> list[str]:
    """Return the names of the traces of a half; `recorded` ones are absent if their package cannot be had."""
    kinds = dict.fromkeys(name.partition("-")[0] for name in loads.names(half))
    found = [f"{kind}-{number}" for kind in KINDS if kind in kinds for number in range(4)]
    found += [f"machine-{number}" for number in range(len(_machine()))]
    return sorted(name for name in found if HALVES[int(name.partition("-")[2]) % 2] == half)


@cache
def trace(name: str) -> UseTrace:
    """Return the trace `name`, such as `burst-0`."""
    kind, _, text = name.partition("-")
    half = HALVES[int(text) % 2]
    if kind == "machine":
        cores, memory = _machine()[int(text)]
        return UseTrace(name, kind, half, cores, memory)
    frozen = loads.trace(name)
    seed = np.random.default_rng([18, KINDS.index(kind), int(text)])
    load, service = frozen.load, frozen.service
    at = np.arange(load.times[0], min(load.times[-1], load.times[0] + LONGEST), MINUTE) + MINUTE / 2
    rates = np.interp(at, load.times, load.rates)
    arrivals = (
        seed.poisson(rates * MINUTE * service.service_time / service.slots * 20) / 20
    )  # 20 requests a core-second
    cores = arrivals / MINUTE
    return UseTrace(name, kind, half, np.round(cores, 3), _modelled_memory(seed, cores, int(text)))


def check_frozen() -> None:
    """Raise ValueError for a trace that is not the frozen one."""
    frozen = json.loads(FROZEN.read_text())
    for half in HALVES:
        for name in names(half):
            if frozen[name] != trace(name).digest:
                raise ValueError(f"{name} is not the frozen trace; do not tune on changed traces")


def _modelled_memory(seed: np.random.Generator, cores: Floats, number: int) -> Floats:
    base, share = seed.uniform(200, 1500) * MIB, seed.uniform(30, 120) * MIB
    warm = 1 - 0.3 * np.exp(-np.arange(len(cores)) / 240)  # caches fill in the first hours
    found = base * warm + share * np.maximum(cores, np.roll(cores, 1)) * seed.lognormal(0, 0.05, len(cores))
    if number >= 2:  # a larger model from some moment on
        moment = int(seed.uniform(0.3, 0.8) * len(cores))
        found[moment:] += base * seed.uniform(0.2, 0.8)
    rounded: Floats = np.round(found)
    return rounded


@cache
def _machine() -> list[tuple[Floats, Floats]]:
    """Return CPU and memory of the recorded groups, in alphabetical order."""
    groups: dict[str, dict[float, tuple[float, float]]] = {}
    with gzip.open(RECORDED, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            groups.setdefault(row["group"], {})[float(row["seconds"])] = float(row["cores"]), float(row["bytes"])
    times = sorted({at for group in groups.values() for at in group})
    found = []
    for name in sorted(groups):
        values = np.array([groups[name].get(at, (0.0, 0.0)) for at in times])
        found.append((values[:, 0], values[:, 1]))
    return found
