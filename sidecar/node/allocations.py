"""Which devices the kubelet gave to which pod, and which GPUs of NVML these are. Pure.

The forms of a device id, by who gave it:

    NVIDIA's device plugin        GPU-UUID, MIG-UUID; GPU-UUID::3 is the fourth share of a GPU with time-slicing or MPS
    GKE's device plugin           nvidia0, nvidia0/gi3 for a MIG instance, nvidia0/vgpu2 for a share
    dynamic resource allocation   driver, pool and device; the ResourceSlice of the driver has its UUID
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..resources.gpu.sample import GpuSample

Owner = tuple[str, str]  # namespace and name of a pod
_INDEXED = re.compile(r"nvidia(\d{1,3})(?:/gi(\d{1,3})|/vgpu\d{1,4})?\Z")
_GPU_RESOURCE = re.compile(r"(?:nvidia\.com/|gpu\.nvidia\.com|mig\.nvidia\.com)")


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """A device as the kubelet names it: the resource or the DRA driver, the pool of a driver, and the id or name."""

    resource: str
    id: str
    pool: str = ""

    @property
    def is_nvidia(self) -> bool:
        """Whether NVML should list it."""
        return _GPU_RESOURCE.match(self.resource) is not None


@dataclass(frozen=True, slots=True)
class Allocations:
    """The devices of all pods of the node, and those that the node can give: of device plugins only."""

    pods: Mapping[Owner, frozenset[Device]] = field(default_factory=lambda: MappingProxyType({}))
    allocatable: frozenset[Device] = frozenset()

    @property
    def dynamic(self) -> frozenset[Device]:
        """The devices of claims, for which a ResourceSlice is needed."""
        return frozenset(device for devices in self.pods.values() for device in devices if device.pool)


@dataclass(frozen=True, slots=True)
class Units:
    """The GPUs and MIG instances of all pods.

    Attributes:
        of: UUIDs by pod.
        owners: the pods of each UUID; a share of a GPU makes its pod one of several.
        unknown: devices of NVIDIA that NVML does not list, by pod.
    """

    of: Mapping[Owner, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    owners: Mapping[str, frozenset[Owner]] = field(default_factory=lambda: MappingProxyType({}))
    unknown: Mapping[Owner, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    shares: frozenset[str] = frozenset()

    def exclusive(self, owner: Owner) -> frozenset[str]:
        """Return the GPUs and MIG instances that only this pod was given, as a whole."""
        given = self.of.get(owner, frozenset())
        return frozenset(unit for unit in given if self.owners[unit] == {owner} and unit not in self.shares)


def read_allocations(listed: Any, allocatable: Any) -> Allocations:
    """Return the allocations in the responses of List and GetAllocatableResources; `allocatable` may be None."""
    pods: dict[Owner, frozenset[Device]] = {}
    for pod in listed.pod_resources:
        devices = frozenset(device for container in pod.containers for device in _devices(container))
        if devices:
            pods[pod.namespace, pod.name] = devices
    known = _plugin_devices(allocatable.devices) if allocatable is not None else ()
    return Allocations(MappingProxyType(pods), frozenset(known))


def _devices(container: Any) -> Iterator[Device]:
    yield from _plugin_devices(container.devices)
    for claim in container.dynamic_resources:
        for found in claim.claim_resources:
            if found.device_name:
                yield Device(found.driver_name, found.device_name, found.pool_name or "-")


def _plugin_devices(devices: Iterable[Any]) -> Iterator[Device]:
    for group in devices:
        for identifier in group.device_ids:
            yield Device(group.resource_name, identifier)


def resolve(allocations: Allocations, sample: GpuSample, uuids: Mapping[Device, str]) -> Units:
    """Return the GPUs of all pods. `uuids` are those of devices of claims, by their ResourceSlice."""
    known = {device.uuid for device in sample.devices} | {
        part.uuid for device in sample.devices for part in device.instances
    }
    of: dict[Owner, frozenset[str]] = {}
    owners: dict[str, set[Owner]] = {}
    unknown: dict[Owner, frozenset[str]] = {}
    shares = set[str]()
    for owner, devices in allocations.pods.items():
        found, missing = set[str](), set[str]()
        for device in devices:
            unit, shared = _unit(device, sample, uuids)
            if unit in known:
                found.add(unit)
                owners.setdefault(unit, set()).add(owner)
                shares |= {unit} if shared else set()
            elif device.is_nvidia:
                missing.add(device.id)
        of |= {owner: frozenset(found)} if found else {}
        unknown |= {owner: frozenset(missing)} if missing else {}
    return Units(
        MappingProxyType(of),
        MappingProxyType({unit: frozenset(found) for unit, found in owners.items()}),
        MappingProxyType(unknown),
        frozenset(shares),
    )


def _unit(device: Device, sample: GpuSample, uuids: Mapping[Device, str]) -> tuple[str, bool]:
    """Return the UUID of a device, and whether it is a share of a GPU; an empty UUID if it is not known."""
    if device.pool:
        return uuids.get(device, ""), False
    whole, separator, _ = device.id.partition("::")
    indexed = _INDEXED.match(device.id)
    if indexed is None:
        return whole, bool(separator)
    card = next((one for one in sample.devices if one.index == int(indexed[1])), None)
    if card is None:
        return "", False
    if indexed[2] is None:
        return card.uuid, "/" in device.id
    part = next((one for one in card.instances if one.gpu_instance == int(indexed[2])), None)
    return (part.uuid if part is not None else ""), False


def read_slices(slices: Iterable[Mapping[str, Any]]) -> dict[Device, str]:
    """Return the UUID of each device in these ResourceSlices, of `resource.k8s.io/v1` or an earlier version.

    The attribute is `uuid`, without a domain or with that of the driver. Of slices of one pool, those of the newest
    generation count.
    """
    newest: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], dict[Device, str]] = {}
    for spec in (_mapping(one.get("spec")) for one in slices):
        pool, driver = _mapping(spec.get("pool")), str(spec.get("driver", ""))
        key, generation = (driver, str(pool.get("name", ""))), pool.get("generation")
        generation = generation if isinstance(generation, int) else 0
        if generation > newest.get(key, -1):
            newest[key], found[key] = generation, {}
        if generation == newest[key]:
            devices = spec.get("devices")
            for device in devices if isinstance(devices, list) else ():
                found[key] |= _uuid_of(_mapping(device), *key)
    return {device: uuid for devices in found.values() for device, uuid in devices.items()}


def _uuid_of(device: Mapping[str, Any], driver: str, pool: str) -> dict[Device, str]:
    attributes = _mapping(_mapping(device.get("basic") or device).get("attributes"))  # v1beta1 has `basic`
    for name in ("uuid", f"{driver}/uuid"):
        value = _mapping(attributes.get(name)).get("string")
        if isinstance(value, str) and value:
            return {Device(driver, str(device.get("name", "")), pool or "-"): value}
    return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def count_devices(allocations: Allocations) -> dict[tuple[str, str], int]:
    """Return the number of devices by resource and state: `allocatable` of device plugins, and `allocated`."""
    counts: dict[tuple[str, str], int] = {}
    groups: Mapping[str, Collection[Device]] = {
        "allocatable": allocations.allocatable,
        "allocated": [device for devices in allocations.pods.values() for device in devices],
    }
    for state, devices in groups.items():
        for device in devices:
            counts[device.resource, state] = counts.get((device.resource, state), 0) + 1
    return counts
