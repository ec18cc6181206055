"""Converts the latest GPU sample and the sums to metrics. A value that is None has no series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.metrics_core import Metric as Family

from ...telemetry import gpu_names as names
from ...telemetry.metric import Metric
from .meter import GpuUse
from .problems import EXPECTED, GpuReason
from .sample import DeviceSample, GpuSample, MigSample

_BOTH: Mapping[Metric, Callable[[DeviceSample | MigSample], float | None]] = {
    names.MEMORY_FREE: lambda one: one.memory_free,
    names.MEMORY_TOTAL: lambda one: one.memory_total,
    names.MEMORY_USED: lambda one: one.memory_used,
    names.SM_UTILIZATION: lambda one: one.sm_utilization,
    names.UTILIZATION: lambda one: one.utilization,
}
_DEVICE: Mapping[Metric, Callable[[DeviceSample], float | None]] = {
    names.MEMORY_UTILIZATION: lambda device: device.memory_utilization,
    names.POWER: lambda device: device.power,
    names.POWER_LIMIT: lambda device: device.power_limit,
    names.TEMPERATURE: lambda device: device.temperature,
}


def collect(sample: GpuSample, use: GpuUse, restarts: Mapping[GpuReason, int]) -> Iterator[Family]:
    """Yield the families of the GPUs; families without samples on a machine without a GPU."""
    parts: list[DeviceSample | MigSample] = list(sample.devices)
    parts += [part for device in sample.devices for part in device.instances]
    yield _info(sample)
    for metric, read in _BOTH.items():
        yield _gauge(metric, {one.uuid: read(one) for one in parts})
    for metric, value_of in _DEVICE.items():
        yield _gauge(metric, {device.uuid: value_of(device) for device in sample.devices})
    yield _processes(sample)
    yield _ecc(sample)
    yield from _sums(use)
    yield _unavailable(sample, seen=bool(use.devices))
    yield _restarts(restarts, seen=bool(use.devices))


def _gauge(metric: Metric, values: Mapping[str, float | None]) -> Family:
    family = metric.gauge()
    for uuid, value in values.items():
        if value is not None:
            family.add_metric((uuid,), value)
    return family


def _info(sample: GpuSample) -> Family:
    family, driver = names.INFO.gauge(), sample.driver or ""
    found = {device.uuid: ("", device.name or "") for device in sample.devices}
    found |= {part.uuid: (device.uuid, device.name or "") for device in sample.devices for part in device.instances}
    for uuid, (parent, name) in found.items():
        family.add_metric((uuid, parent, name, driver), 1)
    return family


def _processes(sample: GpuSample) -> Family:
    """Count the processes of each GPU and each MIG instance whose list could be read; a GPU under MIG has none."""
    unread = {one.device for one in sample.problems if one.reading == "processes"}
    counts = {device.uuid: 0 for device in sample.devices if not device.mig_enabled}
    counts |= {part.uuid: 0 for device in sample.devices for part in device.instances}
    for process in sample.processes:
        counts[process.instance or process.device] += 1
    return _gauge(names.PROCESSES, {uuid: None if uuid in unread else count for uuid, count in counts.items()})


def _ecc(sample: GpuSample) -> Family:
    family = names.ECC_ERRORS.counter()
    for device in sample.devices:
        for kind, value in (("corrected", device.ecc_corrected), ("uncorrected", device.ecc_uncorrected)):
            if value is not None:
                family.add_metric((device.uuid, kind), value)
    return family


def _sums(use: GpuUse) -> Iterator[Family]:
    busy, measured, energy = names.BUSY.counter(), names.MEASURED.counter(), names.ENERGY.counter()
    for uuid, total in (*use.devices.items(), *use.instances.items()):
        if uuid in use.with_utilization:
            busy.add_metric((uuid,), total.busy_seconds)
            measured.add_metric((uuid,), total.measured_seconds)
        if uuid in use.with_energy:
            energy.add_metric((uuid, "counter"), total.energy_joules - total.estimated_joules)
        if total.estimated_joules:
            energy.add_metric((uuid, "power"), total.estimated_joules)
    xids = names.XID_ERRORS.counter()
    for (uuid, number), count in use.xids.items():
        xids.add_metric((uuid, str(number)), count)
    yield from (busy, measured, energy, xids)


def _unavailable(sample: GpuSample, *, seen: bool) -> Family:
    """Return the problems; not those that only mean that this machine has no GPU, or that a process is idle."""
    family = names.UNAVAILABLE.gauge()
    idle = ("process_utilization", GpuReason.NO_SAMPLES)
    shown = [one for one in sample.problems if (one.reading, one.reason) != idle]
    shown = [one for one in shown if seen or one.reason not in EXPECTED]
    for labels in sorted({(one.device, one.reading, one.reason.value) for one in shown}):
        family.add_metric(labels, 1)
    return family


def _restarts(restarts: Mapping[GpuReason, int], *, seen: bool) -> Family:
    family = names.SAMPLER_RESTARTS.counter()
    for reason, count in sorted(restarts.items()):
        if seen or reason not in EXPECTED:
            family.add_metric((reason.value,), count)
    return family
