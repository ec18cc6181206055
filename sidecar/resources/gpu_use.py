"""The part of the GPUs' use that belongs to the model server, between two samples. Pure.

A GPU on which only the model server has processes counts as a whole: time of the card, time with a kernel, and energy.
On a shared GPU, the driver's samples of each process give the time with a kernel. Energy and card time are divided like
it, which is an estimate. If the driver hides the processes, as in a container, all visible GPUs count as a whole.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .gpu.meter import GpuUse, ResourceSum

BILLION, MILLION = 10**9, 10**6
SHARED_CARD = (
    "a GPU is shared with other processes; energy and idle time of the model server are estimates, divided like the "
    "time in which its kernels ran"
)
HIDDEN_PROCESSES = "the driver hides the processes on the GPUs, so all visible GPUs count as the model server's"


@dataclass(frozen=True, slots=True)
class ModelGpuUse:
    """Use of one window: ns with a kernel, ns of the cards, microjoules. None without a GPU, or without the reading."""

    busy_ns: int | None
    card_ns: int | None
    energy_uj: int | None
    notes: tuple[str, ...] = ()


def model_gpu_use(before: GpuUse, after: GpuUse, pids: Collection[int], *, hidden: bool) -> ModelGpuUse:
    """Return the use of the processes `pids` between two sums; `hidden` if the driver does not show them."""
    processes: dict[str, dict[int, float]] = {}
    for (pid, device), sums in after.processes.items():
        earlier = before.processes.get((pid, device), ResourceSum())
        processes.setdefault(device, {})[pid] = max(0.0, sums.busy_seconds - earlier.busy_seconds)
    ours = {device for device, found in processes.items() if found.keys() & set(pids)}
    counted = set(after.devices) if hidden and not ours else ours
    busy = card = energy = 0.0
    shared = False
    for uuid in counted & after.devices.keys():
        part = 1.0 if uuid not in ours else _part(processes[uuid], pids)
        shared |= part < 1.0
        sums, earlier = after.devices[uuid], before.devices.get(uuid, ResourceSum())
        busy += max(0.0, sums.busy_seconds - earlier.busy_seconds) * part
        card += max(0.0, sums.measured_seconds - earlier.measured_seconds) * part
        energy += max(0.0, sums.energy_joules - earlier.energy_joules) * part
    notes = ((SHARED_CARD,) if shared else ()) + ((HIDDEN_PROCESSES,) if counted and not ours else ())
    with_time, with_energy = after.with_utilization & counted, after.with_energy & counted
    return ModelGpuUse(
        round(busy * BILLION) if with_time else None,
        round(card * BILLION) if with_time else None,
        round(energy * MILLION) if with_energy else None,
        notes,
    )


def _part(processes: dict[int, float], pids: Collection[int]) -> float:
    """Return the part of a card that belongs to `pids`: of the time with a kernel, else of the number of processes."""
    own = {pid: busy for pid, busy in processes.items() if pid in pids}
    if len(own) == len(processes):
        return 1.0
    total = sum(processes.values())
    return sum(own.values()) / total if total > 0 else len(own) / len(processes)
