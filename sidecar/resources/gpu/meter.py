"""Sums of GPU samples: seconds with a kernel, joules and Xid errors of each GPU. Pure: samples in, numbers out.

A sample covers the time since the previous one. The sums never fall: they survive restarts of the driver and of the
sampling process. Time without a sample counts in no sum, and `measured_seconds` shows how much was measured.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import TypeVar

from .sample import DeviceSample, GpuSample, ProcessSample

LONGEST_INTERVAL = 10.0  # seconds; a sample after a longer silence does not say what happened in between
MOST_WATTS = 10_000.0  # of one GPU; a counter of energy that rises faster was reset or replaced
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

MOST_ENTRIES = 4096  # processes and Xid numbers that are kept; the oldest are dropped


@dataclass(frozen=True, slots=True)
class ResourceSum:
    """What one GPU, MIG instance or process used since the meter was started.

    Attributes:
        measured_seconds: time for which the utilization is known.
        busy_seconds: part of it in which a kernel ran.
        energy_joules: of the counter of the card, else of its power times the time.
        estimated_joules: part of `energy_joules` that comes from the power.
    """

    measured_seconds: float = 0.0
    busy_seconds: float = 0.0
    energy_joules: float = 0.0
    estimated_joules: float = 0.0


@dataclass(frozen=True, slots=True)
class GpuUse:
    """The sums at one moment.

    Attributes:
        devices: by the UUID of the GPU. `energy_joules` exists for GPUs only, since a card has one counter.
        instances: by the UUID of the MIG instance.
        processes: by (pid, UUID of the GPU or of the MIG instance); those of instances have no utilization.
        present: the processes of the last sample.
        cards: by the UUID of a MIG instance, the UUID of its GPU and the share of it, 0 to 1.
        xids: number of Xid errors by (UUID of the GPU, number of the error).
        with_utilization, with_energy: UUIDs for which the sums of time and of energy are known.
    """

    devices: Mapping[str, ResourceSum] = field(default_factory=lambda: MappingProxyType({}))
    instances: Mapping[str, ResourceSum] = field(default_factory=lambda: MappingProxyType({}))
    processes: Mapping[tuple[int, str], ResourceSum] = field(default_factory=lambda: MappingProxyType({}))
    present: frozenset[tuple[int, str]] = frozenset()
    cards: Mapping[str, tuple[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    xids: Mapping[tuple[str, int], int] = field(default_factory=lambda: MappingProxyType({}))
    with_utilization: frozenset[str] = frozenset()
    with_energy: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _EnergyCounter:
    """The last value of a card's counter of energy, its time, and what was estimated from the power since then."""

    joules: float
    at: float
    estimated: float = 0.0


class GpuMeter:
    """Adds samples up. Call `add` with each sample, in order."""

    def __init__(self) -> None:
        self._devices: dict[str, ResourceSum] = {}
        self._instances: dict[str, ResourceSum] = {}
        self._processes: dict[tuple[int, str], ResourceSum] = {}
        self._present: frozenset[tuple[int, str]] = frozenset()
        self._cards: dict[str, tuple[str, float]] = {}
        self._xids: dict[tuple[str, int], int] = {}
        self._with_utilization: set[str] = set()
        self._with_energy: set[str] = set()
        self._counters: dict[str, _EnergyCounter] = {}  # by GPU

    @property
    def use(self) -> GpuUse:
        """The sums of all samples so far."""
        return GpuUse(
            devices=MappingProxyType(dict(self._devices)),
            instances=MappingProxyType(dict(self._instances)),
            processes=MappingProxyType(dict(self._processes)),
            present=self._present,
            cards=MappingProxyType(dict(self._cards)),
            xids=MappingProxyType(dict(self._xids)),
            with_utilization=frozenset(self._with_utilization),
            with_energy=frozenset(self._with_energy),
        )

    def add(self, sample: GpuSample) -> None:
        """Count what happened since the previous sample."""
        seconds = sample.seconds or 0.0
        if not 0.0 < seconds <= LONGEST_INTERVAL:
            seconds = 0.0
        for device in sample.devices:
            self._add_device(device, seconds, sample.at)
            for instance in device.instances:
                _busy(self._instances, instance.uuid, instance.utilization, seconds)
                self._know(instance.uuid, instance.utilization)
                if instance.share is not None:
                    self._cards[instance.uuid] = (device.uuid, instance.share)
        for process in sample.processes:
            self._add_process(process, seconds)
        self._present = frozenset(_unit(process) for process in sample.processes)
        _shorten(self._processes)
        _shorten(self._xids)

    def _add_device(self, device: DeviceSample, seconds: float, at: float) -> None:
        _busy(self._devices, device.uuid, device.utilization, seconds)
        self._know(device.uuid, device.utilization)
        before = self._devices[device.uuid]
        counter = self._counters.get(device.uuid)
        counted, estimated = _counted(device, counter, seconds, at), 0.0
        if counted is None and device.power is not None:
            counted = estimated = device.power * seconds
        if device.energy is not None:
            self._counters[device.uuid] = _EnergyCounter(device.energy, at)
        elif counter is not None:
            self._counters[device.uuid] = replace(counter, estimated=counter.estimated + estimated)
        if counted is not None:
            self._with_energy.add(device.uuid)
            self._devices[device.uuid] = replace(
                before,
                energy_joules=before.energy_joules + counted,
                estimated_joules=before.estimated_joules + estimated,
            )
        for number in device.xids:
            self._xids[device.uuid, number] = self._xids.get((device.uuid, number), 0) + 1

    def _add_process(self, process: ProcessSample, seconds: float) -> None:
        key = _unit(process)
        self._processes[key] = self._processes.pop(key, ResourceSum())  # to the end: the oldest are dropped first
        _busy(self._processes, key, process.utilization, seconds)

    def _know(self, uuid: str, utilization: float | None) -> None:
        if utilization is not None:
            self._with_utilization.add(uuid)


def _counted(device: DeviceSample, counter: _EnergyCounter | None, seconds: float, at: float) -> float | None:
    """Return the joules by the counter of the card that are in no sum yet; None without it.

    The counter goes on without samples, so it also covers a restart of the sampling process and samples without it.
    """
    if device.energy is None:
        return None
    if counter is None:
        return 0.0
    risen, passed = device.energy - counter.joules, max(seconds, at - counter.at)
    if not 0.0 <= risen <= MOST_WATTS * passed:
        return None  # reset by a restart of the driver
    return max(0.0, risen - counter.estimated)


def _unit(process: ProcessSample) -> tuple[int, str]:
    return process.pid, process.instance or process.device


def _busy(sums: dict[_Key, ResourceSum], key: _Key, utilization: float | None, seconds: float) -> None:
    before = sums.setdefault(key, ResourceSum())
    if utilization is not None:
        sums[key] = replace(
            before,
            measured_seconds=before.measured_seconds + seconds,
            busy_seconds=before.busy_seconds + utilization * seconds,
        )


def _shorten(entries: dict[_Key, _Value]) -> None:
    for key in list(islice(entries, max(0, len(entries) - MOST_ENTRIES))):
        del entries[key]
