"""The part of the GPUs' use that belongs to the model server, between two samples. Pure.

A GPU on which only the model server has processes counts as a whole: time of the card, time with a kernel, and energy.
On a shared GPU, the driver's samples of each process give the time with a kernel. Energy and card time are divided like
it, which is an estimate. A MIG instance counts as its share of the card, also for the energy, since a card has one
counter. A GPU that only the model server is given counts as a whole while no process is listed on it: the driver hides
them in a container, and an idle GPU that is allocated costs as much as a busy one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .gpu.meter import GpuUse, ResourceSum

BILLION, MILLION = 10**9, 10**6
SHARED_CARD = (
    "a GPU is shared with other processes; energy and idle time of the model server are estimates, divided like the "
    "time in which its kernels ran"
)
MIG_CARD = (
    "the model server uses a part of a GPU under MIG, which counts as its share of the card; energy is an estimate, "
    "since the counter is that of the whole card"
)


@dataclass(frozen=True, slots=True)
class ModelGpuUse:
    """Use of one window: ns with a kernel, ns of the cards, microjoules. None without a GPU, or without the reading."""

    busy_ns: int | None
    card_ns: int | None
    energy_uj: int | None
    notes: tuple[str, ...] = ()


UNMEASURED = ModelGpuUse(None, None, None)


def busy_seconds(before: GpuUse, after: GpuUse) -> dict[str, dict[int, float]]:
    """Return the time with a kernel of each process between two sums, by GPU or MIG instance and process."""
    processes: dict[str, dict[int, float]] = {}
    for (pid, unit), sums in after.processes.items():
        earlier = before.processes.get((pid, unit), ResourceSum())
        busy = max(0.0, sums.busy_seconds - earlier.busy_seconds)
        if busy or (pid, unit) in after.present:
            processes.setdefault(unit, {})[pid] = busy
    return processes


def model_gpu_use(
    before: GpuUse,
    after: GpuUse,
    pids: Collection[int],
    given: Collection[str] = (),
    processes: Mapping[str, dict[int, float]] | None = None,
) -> ModelGpuUse:
    """Return the use of the processes `pids` between two sums.

    `given` are the GPUs and MIG instances that count as a whole while no process is listed on them. `processes` is what
    `busy_seconds` returns, for a caller that asks for several groups of processes.
    """
    processes = busy_seconds(before, after) if processes is None else processes
    ours = {unit for unit, found in processes.items() if found.keys() & set(pids)}
    counted = ours | (set(given) & (after.devices.keys() | after.instances.keys()) - processes.keys())
    parts = {unit: _part(processes[unit], pids) if unit in ours else 1.0 for unit in counted}
    timed = [_Timed.of(unit, part, before, after) for unit, part in parts.items() if unit in after.with_utilization]
    powered = [
        _joules(unit, part, before, after) for unit, part in parts.items() if _card(unit, after)[0] in after.with_energy
    ]
    notes = (
        (SHARED_CARD, any(part < 1.0 for part in parts.values())),
        (MIG_CARD, any(unit in after.cards for unit in counted)),
    )
    return ModelGpuUse(
        round(sum(one.busy for one in timed) * BILLION) if timed else None,
        round(sum(one.whole for one in timed) * BILLION) if timed else None,
        round(sum(powered) * MILLION) if powered else None,
        tuple(text for text, applies in notes if applies),
    )


@dataclass(frozen=True, slots=True)
class _Timed:
    """Seconds of whole cards: with a kernel, and in all."""

    busy: float
    whole: float

    @classmethod
    def of(cls, unit: str, part: float, before: GpuUse, after: GpuUse) -> _Timed:
        """Return the part `part` of the growth of a GPU or a MIG instance."""
        then, now = _sums(unit, before), _sums(unit, after)
        part *= _card(unit, after)[1]
        return cls(
            max(0.0, now.busy_seconds - then.busy_seconds) * part,
            max(0.0, now.measured_seconds - then.measured_seconds) * part,
        )


def _joules(unit: str, part: float, before: GpuUse, after: GpuUse) -> float:
    card, share = _card(unit, after)
    return max(0.0, _sums(card, after).energy_joules - _sums(card, before).energy_joules) * part * share


def _sums(unit: str, use: GpuUse) -> ResourceSum:
    return use.devices.get(unit) or use.instances.get(unit) or ResourceSum()


def _card(unit: str, use: GpuUse) -> tuple[str, float]:
    """Return the GPU of a GPU or a MIG instance, and the share of it."""
    return use.cards.get(unit, (unit, 1.0))


def _part(processes: dict[int, float], pids: Collection[int]) -> float:
    """Return the part of a unit that belongs to `pids`: of the time with a kernel, else of the number of processes."""
    own = {pid: busy for pid, busy in processes.items() if pid in pids}
    if len(own) == len(processes):
        return 1.0
    total = sum(processes.values())
    return sum(own.values()) / total if total > 0 else len(own) / len(processes)
