"""The GPUs of this machine and their MIG instances, as they were enumerated. Runs in the child."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .calls import MACHINE, CallPlace, GuardedCalls
from .gpm import GpmMeter
from .newest import NewestStamp
from .problems import GpuReason

MOST_DEVICES = 64  # a machine with more is not known; a count beyond is an error of the driver
MOST_INSTANCES = 16  # NVML allows 7 for each GPU
_ABSENT = frozenset((GpuReason.NO_SAMPLES,))  # the reason for NVML_ERROR_NOT_FOUND
MOST_IDENTITY = 2**16
MOST_POWER, MILLI = 1e8, 1e-3  # milliwatts
MIG_DISABLED, MIG_ENABLED = 0, 1


@dataclass(slots=True)
class Instance:
    """A MIG instance: where to read it, and what does not change."""

    place: CallPlace
    gpu_instance: int | None
    compute_instance: int | None
    slices: int | None
    share: float | None


@dataclass(slots=True)
class GpuCard:
    """A GPU: where to read it, what seldom changes, and what must be kept from one sample to the next.

    Attributes:
        events: the event set of its Xid errors; None if it has none.
        gpm: the previous samples of GPM, by GPU instance; None is the whole GPU.
        utilization_newest, processes_newest: which samples of the driver are new.
        ecc: corrected and uncorrected errors.
        gpm_support: whether it has GPM; None until it was asked.
    """

    place: CallPlace
    name: str | None
    mig_enabled: bool | None
    power_limit: float | None = None
    ecc: tuple[int | None, int | None] = (None, None)
    instances: tuple[Instance, ...] = ()
    gpm_support: bool | None = None
    events: Any = None
    gpm: dict[int | None, GpmMeter] = field(default_factory=dict)
    utilization_newest: NewestStamp = field(default_factory=NewestStamp)
    processes_newest: NewestStamp = field(default_factory=NewestStamp)


def enumerate_cards(calls: GuardedCalls, previous: dict[str, GpuCard]) -> dict[str, GpuCard]:
    """Return all GPUs by UUID, and keep the state of those in `previous`."""
    count = calls.read("devices", MACHINE, "nvmlDeviceGetCount") or 0
    if count > MOST_DEVICES:
        calls.report("devices", MACHINE, GpuReason.TOO_MANY, f"{count} devices; {MOST_DEVICES} are read")
    cards = {}
    for index in range(min(count, MOST_DEVICES)):
        card = _card(calls, index, previous)
        if card is not None:
            if card.place.label in cards:
                calls.report("devices", card.place, GpuReason.INCONSISTENT, "two GPUs have the same UUID")
            cards[card.place.label] = card
    return cards


def _card(calls: GuardedCalls, index: int, previous: dict[str, GpuCard]) -> GpuCard | None:
    unnamed = CallPlace(None, f"#{index}", index)
    handle = calls.read("devices", unnamed, "nvmlDeviceGetHandleByIndex", index)
    if handle is None:
        return None
    uuid = _uuid(calls, "devices", CallPlace(handle, f"#{index}", index))
    if uuid is None:
        return None
    place = CallPlace(handle, uuid, index)
    mode = calls.optional("mig", place, "nvmlDeviceGetMigMode", default=(MIG_DISABLED,))
    card = GpuCard(
        place=place,
        name=calls.read("name", place, "nvmlDeviceGetName"),
        mig_enabled=mode[0] == MIG_ENABLED if mode else None,
        power_limit=calls.number(
            "power_limit",
            place,
            calls.read("power_limit", place, "nvmlDeviceGetEnforcedPowerLimit"),
            MOST_POWER,
            scale=MILLI,
        ),
        ecc=_ecc(calls, place),
    )
    known = previous.get(uuid)
    if known is not None:
        card.gpm, card.events = known.gpm, known.events
        card.utilization_newest, card.processes_newest = known.utilization_newest, known.processes_newest
    else:
        card.events = _register_xids(calls, place)
    if card.mig_enabled:
        card.instances = _instances(calls, place)
    return card


def _ecc(calls: GuardedCalls, place: CallPlace) -> tuple[int | None, int | None]:
    nvml = calls.nvml

    def count(reading: str, kind: int) -> int | None:
        found = calls.read(reading, place, "nvmlDeviceGetTotalEccErrors", kind, nvml.NVML_VOLATILE_ECC)
        return calls.count(reading, place, found)

    return (
        count("ecc_corrected", nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        count("ecc_uncorrected", nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
    )


def _register_xids(calls: GuardedCalls, place: CallPlace) -> Any:
    """Return an event set for the Xid errors of a GPU; None if it has none."""
    events = calls.read("xid", CallPlace(None, place.label, place.index), "nvmlEventSetCreate")
    if events is None:
        return None
    wanted = calls.nvml.nvmlEventTypeXidCriticalError
    return events if calls.read("xid", place, "nvmlDeviceRegisterEvents", wanted, events) is not None else None


def _instances(calls: GuardedCalls, place: CallPlace) -> tuple[Instance, ...]:
    most = calls.count("mig", place, calls.read("mig", place, "nvmlDeviceGetMaxMigDeviceCount"))
    found = (_instance(calls, place, index, most) for index in range(min(most or 0, MOST_INSTANCES)))
    return tuple({one.place.label: one for one in found if one is not None}.values())


def _instance(calls: GuardedCalls, place: CallPlace, index: int, most: int | None) -> Instance | None:
    """Return the MIG instance `index`; None if the GPU has none with this index, since the indices have gaps.

    `most` instances of one slice fit on the GPU.
    """
    handle = calls.optional("mig", place, "nvmlDeviceGetMigDeviceHandleByIndex", index, quiet=_ABSENT)
    if handle is None:
        return None
    uuid = _uuid(calls, "mig", CallPlace(handle, f"{place.label}#{index}", place.index))
    if uuid is None:
        return None
    part = CallPlace(handle, uuid, place.index)
    attributes = calls.read("slices", part, "nvmlDeviceGetAttributes_v2")
    slices = None
    if attributes is not None:
        slices = calls.count("slices", part, attributes.computeInstanceSliceCount, most or MOST_INSTANCES)
    return Instance(
        place=part,
        gpu_instance=_identity(calls, part, "nvmlDeviceGetGpuInstanceId"),
        compute_instance=_identity(calls, part, "nvmlDeviceGetComputeInstanceId"),
        slices=slices,
        share=slices / most if slices and most else None,
    )


def _uuid(calls: GuardedCalls, reading: str, place: CallPlace) -> str | None:
    found: str | None = calls.read(reading, place, "nvmlDeviceGetUUID")
    if found == "":
        calls.report(reading, place, GpuReason.INVALID_VALUE, "the UUID is empty")
    return found or None


def _identity(calls: GuardedCalls, part: CallPlace, name: str) -> int | None:
    return calls.count("mig", part, calls.read("mig", part, name), MOST_IDENTITY)
