"""Reads the values of one GPU that change each second. Runs in the child."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .calls import NOT_PROVIDED, CallPlace, GuardedCalls
from .card import MILLI, MOST_POWER, GpuCard
from .gpm import NO_SHARES, PER_CENT, READING, GpmMeter, GpmShares, query_support
from .problems import GpuReason
from .sample import DeviceSample, MigSample

MICRO = 10**6
MOST_BYTES = 2**50
MOST_MILLIJOULES = 2**62
MOST_CELSIUS = 300
MOST_XIDS = 64  # of one sample; a flood of errors must not delay the sample
MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")  # of nvmlValue_t, by nvmlValueType_t


def read_device(calls: GuardedCalls, card: GpuCard, now: float) -> DeviceSample:
    """Return the sample of one GPU. `now` is epoch seconds."""
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
        sm_utilization=None if card.mig_enabled else _gpm(calls, card, place.label, None).busy,
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
        instances=tuple(_instances(calls, card)),
    )


def _instances(calls: GuardedCalls, card: GpuCard) -> Iterator[MigSample]:
    """Yield the samples of the MIG instances. Those of one GPU instance share its utilization."""
    shares: dict[int, GpmShares] = {}
    for one in card.instances:
        total, used, free = _memory(calls, one.place)
        found, identity = NO_SHARES, one.gpu_instance
        if identity is not None:
            found = shares[identity] = shares.get(identity) or _gpm(calls, card, one.place.label, identity)
        else:
            calls.report(READING, one.place, GpuReason.FAILED, "the id of its GPU instance is not known")
        if found.running is None:
            calls.report("utilization", one.place, GpuReason.MIG, "without GPM, there is no utilization under MIG")
        yield MigSample(
            uuid=one.place.label,
            gpu_instance=one.gpu_instance,
            compute_instance=one.compute_instance,
            slices=one.slices,
            share=one.share,
            memory_total=total,
            memory_used=used,
            memory_free=free,
            utilization=found.running,
            sm_utilization=found.busy,
        )


def _gpm(calls: GuardedCalls, card: GpuCard, label: str, instance: int | None) -> GpmShares:
    """Return what GPM measured for a GPU, or for one of its GPU instances; its problems carry `label`."""
    place = CallPlace(card.place.handle, label, card.place.index)
    if card.gpm_support is None:
        card.gpm_support = query_support(calls, place)
    if card.gpm_support is False:
        calls.report(READING, place, GpuReason.UNSUPPORTED, "GPM needs the Hopper generation or a newer one")
    return card.gpm.setdefault(instance, GpmMeter()).read(calls, place, instance) if card.gpm_support else NO_SHARES


def _memory(calls: GuardedCalls, place: CallPlace) -> tuple[int | None, int | None, int | None]:
    """Return total, used and free bytes. The second version of the call leaves reserved memory out of `used`."""
    version = calls.nvml.nvmlMemory_v2
    found = calls.first("memory", place, (("nvmlDeviceGetMemoryInfo", version), ("nvmlDeviceGetMemoryInfo",)))
    if found is None:
        return None, None, None
    if not found.total:
        calls.report("memory", place, GpuReason.INVALID_VALUE, "a GPU without memory")
        return None, None, None
    total = calls.count("memory", place, found.total, MOST_BYTES)
    most = MOST_BYTES if total is None else total
    return total, calls.count("memory", place, found.used, most), calls.count("memory", place, found.free, most)


def _utilization(calls: GuardedCalls, card: GpuCard, now: float) -> tuple[float | None, float | None]:
    """Return the shares of time with a kernel and with access to memory.

    The driver keeps several samples a second. Their mean covers the whole interval, and `nvmlDeviceGetUtilizationRates`
    only the last part of it, so that a periodic load would be measured wrong.
    """
    place = card.place
    if card.mig_enabled:
        calls.report("utilization", place, GpuReason.MIG)
        calls.report(READING, place, GpuReason.MIG)
        return None, None
    rates = calls.read("utilization", place, "nvmlDeviceGetUtilizationRates")
    if rates is None:
        return None, None
    mean = _mean_utilization(calls, card, now)
    last = calls.number("utilization", place, rates.gpu, PER_CENT, scale=1 / PER_CENT)
    memory = calls.number("utilization", place, rates.memory, PER_CENT, scale=1 / PER_CENT)
    return last if mean is None else mean, memory


def _mean_utilization(calls: GuardedCalls, card: GpuCard, now: float) -> float | None:
    """Return the mean of the driver's samples since the last call; None without any."""
    kind, newest = calls.nvml.NVML_GPU_UTILIZATION_SAMPLES, card.utilization_newest
    found = calls.optional("utilization", card.place, "nvmlDeviceGetSamples", kind, newest.since, quiet=_NO_MEAN)
    kind_of_value, samples = found or (0, ())
    if not 0 <= kind_of_value < len(MEMBERS):
        return None
    member = MEMBERS[kind_of_value]
    new = (samples[place] for place in newest.take_new([one.timeStamp for one in samples], round(now * MICRO)))
    valid = [value for one in new if 0 <= (value := getattr(one.sampleValue, member)) <= PER_CENT]
    return float(sum(valid)) / len(valid) / PER_CENT if valid else None


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
