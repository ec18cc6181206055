"""The part of the node's GPU samples and sums that a pod may see, and the same as the analyzer reads them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from types import MappingProxyType

from ..gpu.meter import GpuUse, ResourceSum
from ..gpu.sample import DeviceSample, GpuSample, ProcessSample
from .figures import GpuFigures, ProcessSum, UnitSum

HIDDEN = 0  # id of a process of another pod, as the driver writes it where it hides one


def visible_sample(sample: GpuSample, units: Collection[str], pids: Collection[int]) -> GpuSample:
    """Return the sample with the GPUs and MIG instances `units` only, and nothing of processes but `pids`.

    A GPU of which the pod has MIG instances keeps its name and mode only: its other values are those of all instances.
    """
    devices = tuple(_devices(sample, units))
    shown = {device.uuid for device in devices}
    parts = {part.uuid for device in devices for part in device.instances}
    return replace(
        sample,
        devices=devices,
        processes=tuple(
            one if one.pid in pids else _hidden(one)
            for one in sample.processes
            if one.device in shown and (one.instance is None or one.instance in parts)
        ),
        problems=tuple(one for one in sample.problems if one.device in ("", *shown, *parts)),
    )


def _devices(sample: GpuSample, units: Collection[str]) -> Iterator[DeviceSample]:
    for device in sample.devices:
        parts = tuple(part for part in device.instances if part.uuid in units)
        if device.uuid in units:
            yield device
        elif parts:
            yield DeviceSample(
                uuid=device.uuid, index=device.index, name=device.name, instances=parts, mig_enabled=device.mig_enabled,
                xids=(), utilization=None, memory_utilization=None, sm_utilization=None, memory_total=None,
                memory_used=None, memory_free=None, power=None, power_limit=None, energy=None, temperature=None,
                ecc_corrected=None, ecc_uncorrected=None,
            )  # fmt: skip


def _hidden(process: ProcessSample) -> ProcessSample:
    return replace(process, pid=HIDDEN, memory_used=None, utilization=None, memory_utilization=None)


def visible_sums(use: GpuUse, units: Collection[str]) -> tuple[UnitSum, ...]:
    """Return the sums of the GPUs and MIG instances `units`."""
    found = []
    for uuid, total in sorted({**use.devices, **use.instances}.items()):
        if uuid in units:
            card, share = use.cards.get(uuid, ("", 1.0))
            found.append(
                UnitSum(
                    uuid=uuid,
                    card=card,
                    share=share,
                    measured_seconds=total.measured_seconds,
                    busy_seconds=total.busy_seconds,
                    energy_joules=total.energy_joules,
                    estimated_joules=total.estimated_joules,
                    timed=uuid in use.with_utilization,
                    powered=uuid in use.with_energy,
                )
            )
    return tuple(found)


def visible_processes(use: GpuUse, units: Collection[str], pids: Collection[int]) -> tuple[ProcessSum, ...]:
    """Return the sums of the processes `pids` that are running."""
    return tuple(
        ProcessSum(pid=pid, unit=unit, measured_seconds=total.measured_seconds, busy_seconds=total.busy_seconds)
        for (pid, unit), total in sorted(use.processes.items())
        if pid in pids and unit in units and (pid, unit) in use.present
    )


def read_use(figures: GpuFigures) -> GpuUse:
    """Return the sums in the figures of a pod."""
    sums = {one.uuid: _sum(one) for one in figures.sums}
    instances = {one.uuid for one in figures.sums if one.card}
    processes = {
        (one.pid, one.unit): ResourceSum(measured_seconds=one.measured_seconds, busy_seconds=one.busy_seconds)
        for one in figures.processes
    }
    return GpuUse(
        devices=MappingProxyType({uuid: total for uuid, total in sums.items() if uuid not in instances}),
        instances=MappingProxyType({uuid: total for uuid, total in sums.items() if uuid in instances}),
        processes=MappingProxyType(processes),
        present=frozenset(processes),
        cards=MappingProxyType({one.uuid: (one.card, one.share) for one in figures.sums if one.card}),
        xids=MappingProxyType({(uuid, number): count for uuid, number, count in figures.xids}),
        with_utilization=frozenset(one.uuid for one in figures.sums if one.timed),
        with_energy=frozenset(one.uuid for one in figures.sums if one.powered),
    )


def _sum(one: UnitSum) -> ResourceSum:
    return ResourceSum(
        measured_seconds=one.measured_seconds,
        busy_seconds=one.busy_seconds,
        energy_joules=one.energy_joules,
        estimated_joules=one.estimated_joules,
    )
