"""Counters of the GPUs of each pod that asks. Pure: sums of two samples in, counters out.

A pod's GPUs are those on which its processes run, and those that the kubelet gave to it. Its part of a shared GPU is
divided like the time in which its kernels ran (../resources/gpu_use.py), so the parts of all pods add up to the card.
A GPU that only this pod was given counts as a whole while no process is on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from ..resources.gpu.meter import GpuUse
from ..resources.gpu.problems import GpuReason
from ..resources.gpu.sample import GpuSample
from ..resources.gpu_use import busy_seconds, model_gpu_use
from ..resources.pod.figures import GpuFigures
from ..resources.pod.gpus import visible_processes, visible_sample, visible_sums
from .allocations import Owner, Units
from .cgroup_paths import PodCgroup, Unplaced

KEPT_SECONDS = 120.0  # for a pod that has ceased to ask

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
Places = Mapping[int, PodCgroup | Unplaced]


@dataclass(frozen=True, slots=True)
class PodCaller:
    """A pod, as the API server knows it from the token."""

    uid: str
    namespace: str
    name: str

    @property
    def owner(self) -> Owner:
        """Its key in the kubelet's answer."""
        return self.namespace, self.name


@dataclass(slots=True)
class PodEntry:
    """The counters of one pod; None before the first measured time. `units` and `pids` are those of now."""

    since: str
    asked_at: float
    busy_ns: int | None = None
    card_ns: int | None = None
    energy_uj: int | None = None
    notes: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()
    pids: frozenset[int] = frozenset()


@dataclass(slots=True)
class PodCounters:
    """The entries of all pods that asked lately. `run_id` identifies this process."""

    run_id: str
    entries: dict[PodCaller, PodEntry] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def ask(self, pod: PodCaller, now: float) -> PodEntry:
        """Return the entry of a pod; a new one begins to count with the next sample."""
        entry = self.entries.get(pod)
        if entry is None:
            entry = self.entries[pod] = PodEntry(f"{self.run_id}/{next(self._numbers)}", now)
        entry.asked_at = now
        return entry

    def drop_absent(self, now: float) -> None:
        """Forget pods that have ceased to ask."""
        self.entries = {pod: one for pod, one in self.entries.items() if now - one.asked_at <= KEPT_SECONDS}

    def add(self, before: GpuUse, after: GpuUse, places: Places, units: Units) -> None:
        """Count what happened between two sums of all GPUs. `places` are the pods of the processes on them."""
        placed, busy = _Placed.of(after, places), busy_seconds(before, after)
        for pod, entry in self.entries.items():
            entry.pids = placed.processes(pod, units)
            used = frozenset(unit for pid in entry.pids for unit in placed.units.get(pid, ()))
            entry.units = used | units.of.get(pod.owner, frozenset())
            found = model_gpu_use(before, after, entry.pids, units.exclusive(pod.owner), busy)
            entry.notes = found.notes
            entry.busy_ns = _added(entry.busy_ns, found.busy_ns)
            entry.card_ns = _added(entry.card_ns, found.card_ns)
            entry.energy_uj = _added(entry.energy_uj, found.energy_uj)


@dataclass(frozen=True, slots=True)
class _Placed:
    """The processes on GPUs: by the UID of their pod, those of an unknown pod by GPU, and the GPUs of each process."""

    of_pod: Mapping[str, frozenset[int]]
    unknown: Mapping[str, frozenset[int]]
    units: Mapping[int, frozenset[str]]

    @classmethod
    def of(cls, use: GpuUse, places: Places) -> _Placed:
        """Return the processes that are present."""
        pods: dict[str, set[int]] = {}
        unknown: dict[str, set[int]] = {}
        units: dict[int, set[str]] = {}
        for pid, unit in use.present:
            place = places.get(pid, Unplaced.UNKNOWN)
            units.setdefault(pid, set()).add(unit)
            if isinstance(place, PodCgroup):
                pods.setdefault(place.uid, set()).add(pid)
            elif place is Unplaced.UNKNOWN:
                unknown.setdefault(unit, set()).add(pid)
        return cls(_frozen(pods), _frozen(unknown), _frozen(units))

    def processes(self, pod: PodCaller, units: Units) -> frozenset[int]:
        """Return the processes of a pod: by their cgroup, else on a GPU that only this pod was given."""
        found = self.of_pod.get(pod.uid, frozenset())
        exclusive = units.exclusive(pod.owner) if self.unknown else ()
        return found.union(*(self.unknown.get(unit, frozenset()) for unit in exclusive))


def _frozen(sets: Mapping[_Key, set[_Value]]) -> dict[_Key, frozenset[_Value]]:
    return {key: frozenset(found) for key, found in sets.items()}


def gpu_figures(
    entry: PodEntry, sample: GpuSample, use: GpuUse, restarts: Mapping[GpuReason, int]
) -> GpuFigures | None:
    """Return what a pod may see of the GPUs; None if it has none."""
    if not entry.units:
        return None
    return GpuFigures(
        since=entry.since,
        busy_ns=entry.busy_ns,
        card_ns=entry.card_ns,
        energy_uj=entry.energy_uj,
        notes=entry.notes,
        sample=visible_sample(sample, entry.units, entry.pids),
        sums=visible_sums(use, entry.units),
        processes=visible_processes(use, entry.units, entry.pids),
        xids=tuple((uuid, number, count) for (uuid, number), count in sorted(use.xids.items()) if uuid in entry.units),
        restarts=dict(restarts),
    )


def _added(total: int | None, grown: int | None) -> int | None:
    return total if grown is None else (total or 0) + grown
