"""The GPUs of pods, by the device ids of the kubelet and by ResourceSlices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.node.allocations import (
    Allocations,
    Device,
    count_devices,
    read_allocations,
    read_slices,
    resolve,
)
from pilotfish.sidecar.node.messages import MESSAGES
from tests.node.kubelets import pod
from tests.resources.gpu.made import device, instance, sample
from tests.support.examples import examples

PARTS = (instance("MIG-a", gpu_instance=3), instance("MIG-b", gpu_instance=5))
NODE = sample(device("GPU-0", index=0), device("GPU-1", index=1), device("GPU-2", index=2, instances=PARTS))
OWNER = ("models", "m")


def allocations(*pods: dict, allocatable: Any = None) -> Allocations:
    return read_allocations(MESSAGES["ListPodResourcesResponse"](pod_resources=list(pods)), allocatable)


@pytest.mark.parametrize(
    ("resource", "identifier", "unit", "exclusive"),
    [
        ("nvidia.com/gpu", "GPU-1", "GPU-1", True),
        ("nvidia.com/gpu", "GPU-1::3", "GPU-1", False),
        ("nvidia.com/gpu.shared", "GPU-1::0", "GPU-1", False),
        ("nvidia.com/mig-1g.10gb", "MIG-b", "MIG-b", True),
        ("nvidia.com/mig-1g.10gb", "MIG-b::1", "MIG-b", False),
        ("nvidia.com/gpu", "nvidia1", "GPU-1", True),
        ("nvidia.com/gpu", "nvidia1/vgpu2", "GPU-1", False),
        ("nvidia.com/gpu", "nvidia2/gi5", "MIG-b", True),
    ],
)
def test_each_form_of_a_device_id_names_its_gpu(resource: str, identifier: str, unit: str, exclusive: bool) -> None:
    found = resolve(allocations(pod("m", {resource: [identifier]})), NODE, {})
    assert found.of[OWNER] == {unit}
    assert found.exclusive(OWNER) == ({unit} if exclusive else frozenset())


@pytest.mark.parametrize("identifier", ["GPU-9", "nvidia9", "nvidia2/gi9", "nvidia1/odd", ""])
def test_a_device_that_nvml_does_not_list_is_named(identifier: str) -> None:
    found = resolve(allocations(pod("m", {"nvidia.com/gpu": [identifier]})), NODE, {})
    assert not found.of
    assert found.unknown[OWNER] == {identifier}


def test_devices_of_other_vendors_are_no_gpus_of_nvml() -> None:
    found = resolve(allocations(pod("m", {"vendor.example/nic": ["eth1"]})), NODE, {})
    assert not found.of
    assert not found.unknown


def test_a_gpu_of_two_pods_is_exclusive_to_none() -> None:
    found = resolve(allocations(*(pod(name, {"nvidia.com/gpu": ["GPU-0"]}) for name in ("m", "n"))), NODE, {})
    assert found.owners["GPU-0"] == {OWNER, ("models", "n")}
    assert found.exclusive(OWNER) == frozenset()


def slice_of(*devices: tuple[str, str], generation: int = 1, basic: bool = False, name: str = "uuid") -> dict:
    made = []
    for one, uuid in devices:
        attributes = {"attributes": {name: {"string": uuid}, "type": {"string": "gpu"}}}
        made.append({"name": one, **({"basic": attributes} if basic else attributes)})
    pool = {"name": "node1", "generation": generation, "resourceSliceCount": 1}
    return {"spec": {"driver": "gpu.nvidia.com", "nodeName": "node1", "pool": pool, "devices": made}}


@pytest.mark.parametrize("basic", [True, False])
@pytest.mark.parametrize("name", ["uuid", "gpu.nvidia.com/uuid"])
def test_a_device_of_a_claim_is_found_by_the_slice_of_its_driver(basic: bool, name: str) -> None:
    uuids = read_slices([slice_of(("gpu-0", "GPU-0"), ("gpu-1", "GPU-1"), basic=basic, name=name)])
    claimed = allocations(pod("m", {}, claims=(("gpu.nvidia.com", "node1", "gpu-1"),)))
    assert claimed.dynamic == {Device("gpu.nvidia.com", "gpu-1", "node1")}
    assert resolve(claimed, NODE, uuids).exclusive(OWNER) == {"GPU-1"}
    assert resolve(claimed, NODE, {}).unknown[OWNER] == {"gpu-1"}


def test_the_newest_generation_of_a_pool_counts() -> None:
    slices = [slice_of(("gpu-0", "GPU-0"), generation=2), slice_of(("gpu-0", "GPU-1"), ("gpu-9", "GPU-9"))]
    for order in (slices, slices[::-1]):
        assert read_slices(order) == {Device("gpu.nvidia.com", "gpu-0", "node1"): "GPU-0"}


KEYS = ("spec", "driver", "pool", "name", "generation", "devices", "attributes", "uuid", "string", "basic")
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(KEYS),
        inner, max_size=4,
    ),
)  # fmt: skip


@settings(max_examples=examples(100))
@given(st.lists(st.dictionaries(st.just("spec"), json), max_size=3))
def test_no_slice_of_any_form_raises(slices: list[dict[str, Any]]) -> None:
    assert all(read_slices(slices).values())


def test_free_and_given_devices_are_counted() -> None:
    whole = MESSAGES["AllocatableResourcesResponse"](
        devices=[{"resource_name": "nvidia.com/gpu", "device_ids": ["GPU-0", "GPU-1"]}]
    )
    counts = count_devices(allocations(pod("m", {"nvidia.com/gpu": ["GPU-0"]}), allocatable=whole))
    assert counts == {("nvidia.com/gpu", "allocatable"): 2, ("nvidia.com/gpu", "allocated"): 1}
