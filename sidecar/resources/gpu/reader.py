"""Reads the values of one GPU that change each second. Runs in the child."""

from __future__ import annotations

from typing import Any

from .calls import NOT_PROVIDED, CallPlace, GuardedCalls
from .card import MILLI, MOST_POWER, GpuCard, Instance
from .gpm import PER_CENT, GpmMeter, query_support
from .problems import GpuReason
from .sample import DeviceSample, MigSample

MOST_BYTES = 2**50
MOST_MILLIJOULES = 2**62
MOST_CELSIUS = 300
MOST_XIDS = 64  # of one sample; a flood of errors must not delay the sample
MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")  # of nvmlValue_t, by nvmlValueType_t
_WHOLE = ("kernel_time", "sm_utilization")
_PART = ("utilization", "sm_utilization")


def read_device(calls: GuardedCalls, card: GpuCard, now: int) -> DeviceSample:
    """Return the sample of one GPU. `now` is the time in microseconds since the epoch, the clock of the driver."""
    place = card.place
    utilization, memory_utilization = _utilization(calls, card, now)
    total, used, free = _memory(calls, place)
    power = calls.read("power", place, "nvmlDeviceGetPowerUsage")
    energy = calls.read("energy", place, "nvmlDeviceGetTotalEnergyConsumption")
    sensor = calls.nvml.NVML_TEMPERATURE_GPU
    temperature = calls.read("temperature", place, "nvmlDeviceGetTemperature", sensor)
    return DeviceSample(
        uuid=place.label,
        index=place.index,
        name=card.name,
        utilization=utilization,
        memory_utilization=memory_utilization,
        sm_utilization=None if card.mig_enabled else _gpm(calls, card, place, None)[1],
        memory_total=total,
        memory_used=used,
        memory_free=free,
        power=calls.number("power", place, power, MOST_POWER, scale=MILLI),
        power_limit=card.power_limit,
        energy=calls.number("energy", place, energy, MOST_MILLIJOULES, scale=MILLI),
        temperature=calls.count("temperature", place, temperature, MOST_CELSIUS),
        ecc_corrected=card.ecc[0],
        ecc_uncorrected=card.ecc[1],
        xids=_xids(calls, card),
        mig_enabled=card.mig_enabled,
        instances=tuple(_instance(calls, card, one) for one in card.instances),
    )


def _instance(calls: GuardedCalls, card: GpuCard, instance: Instance) -> MigSample:
    total, used, free = _memory(calls, instance.place)
    utilization, busy = None, None
    if instance.gpu_instance is not None:
        utilization, busy = _gpm(calls, card, instance.place, instance.gpu_instance)
    return MigSample(
        uuid=instance.place.label,
        gpu_instance=instance.gpu_instance,
        compute_instance=instance.compute_instance,
        slices=instance.slices,
        memory_total=total,
        memory_used=used,
        memory_free=free,
        utilization=utilization,
        sm_utilization=busy,
    )


def _gpm(
    calls: GuardedCalls, card: GpuCard, label: CallPlace, instance: int | None
) -> tuple[float | None, float | None]:
    """Return what GPM measured for a GPU, or for one of its GPU instances; its problems carry the label of `label`."""
    place = CallPlace(card.place.handle, label.label, card.place.index)
    readings = _WHOLE if instance is None else _PART
    if card.gpm_support is None:
        card.gpm_support = query_support(calls, place, readings[1])
    if not card.gpm_support:
        if card.gpm_support is False:
            calls.report(readings[1], place, GpuReason.UNSUPPORTED, "GPM needs the Hopper generation or a newer one")
        if instance is not None:
            calls.report("utilization", place, GpuReason.MIG, "without GPM, there is no utilization under MIG")
        return None, None
    return card.gpm.setdefault(instance, GpmMeter()).read(calls, place, readings, instance)


def _memory(calls: GuardedCalls, place: CallPlace) -> tuple[int | None, int | None, int | None]:
    """Return total, used and free bytes. The second version of the call leaves reserved memory out of `used`."""
    version = calls.nvml.nvmlMemory_v2
    found = calls.first("memory", place, (("nvmlDeviceGetMemoryInfo", version), ("nvmlDeviceGetMemoryInfo",)))
    if found is None:
        return None, None, None
    total = calls.count("memory", place, found.total, MOST_BYTES)
    most = MOST_BYTES if total is None else total
    return total, calls.count("memory", place, found.used, most), calls.count("memory", place, found.free, most)


def _utilization(calls: GuardedCalls, card: GpuCard, now: int) -> tuple[float | None, float | None]:
    """Return the shares of time with a kernel and with access to memory.

    The driver keeps several samples a second. Their mean covers the whole interval, and `nvmlDeviceGetUtilizationRates`
    only the last part of it, so that a periodic load would be measured wrong.
    """
    place = card.place
    if card.mig_enabled:
        calls.report("utilization", place, GpuReason.MIG)
        return None, None
    rates = calls.read("utilization", place, "nvmlDeviceGetUtilizationRates")
    if rates is None:
        return None, None
    mean = _mean_utilization(calls, card, now)
    last = calls.number("utilization", place, rates.gpu, PER_CENT, scale=1 / PER_CENT)
    memory = calls.number("utilization", place, rates.memory, PER_CENT, scale=1 / PER_CENT)
    return last if mean is None else mean, memory


def _mean_utilization(calls: GuardedCalls, card: GpuCard, now: int) -> float | None:
    """Return the mean of the driver's samples since the last call; None without any."""
    kind = calls.nvml.NVML_GPU_UTILIZATION_SAMPLES
    since = seen_before(card.utilization_seen, now)
    found = calls.optional("utilization", card.place, "nvmlDeviceGetSamples", kind, since, quiet=_NO_MEAN)
    if not found or not 0 <= found[0] < len(MEMBERS):
        return None
    member = MEMBERS[found[0]]
    samples = [(one.timeStamp, getattr(one.sampleValue, member)) for one in found[1]]
    newer = [(at, value) for at, value in samples if since < at <= now + LEEWAY and 0 <= value <= PER_CENT]
    if not newer:
        return None
    card.utilization_seen = max(at for at, _ in newer)
    return float(sum(value for _, value in newer)) / len(newer) / PER_CENT


def seen_before(seen: int, now: int) -> int:
    """Return from which time on the driver's samples are new, in microseconds.

    `seen` is the time of the newest sample so far. After the clock was set back, it would be in the future, and the
    driver would return nothing until then.
    """
    return seen if 0 < seen <= now + LEEWAY else max(0, now - LEEWAY)


LEEWAY = 1_000_000  # microseconds
_NO_MEAN = NOT_PROVIDED | {GpuReason.NO_SAMPLES, GpuReason.INCONSISTENT}


def _xids(calls: GuardedCalls, card: GpuCard) -> tuple[int, ...]:
    """Return the numbers of the Xid errors since the last call."""
    found: list[int] = []
    if card.events is None:
        return ()
    place = CallPlace(None, card.place.label, card.place.index)
    quiet = frozenset((GpuReason.TIMEOUT,))  # the event set is empty
    while len(found) < MOST_XIDS:
        event: Any = calls.optional("xid", place, "nvmlEventSetWait_v2", card.events, 0, quiet=quiet)
        if not event:
            break
        if event.eventType & calls.nvml.nvmlEventTypeXidCriticalError:
            found.append(int(event.eventData))
    return tuple(found)
