"""GPUs that change while they are sampled: reordered, replaced, partitioned, many, and values that cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pilotfish.sidecar.resources.gpu import session as sessions
from pilotfish.sidecar.resources.gpu.meter import GpuMeter
from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sample import GpuSample, encode
from pilotfish.sidecar.resources.gpu.sampler import decode
from tests.resources.gpu.conftest import Bench
from tests.resources.gpu.test_faults import MIG, settled
from tests.support.nvml.driver import ScriptedDriver, gpu


def reasons(sample: GpuSample, device: str, reading: str) -> set[GpuReason]:
    return {one.reason for one in sample.problems if (one.device, one.reading) == (device, reading)}


def test_gpus_that_change_places_keep_their_sums(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"energy.0": 1_000_000, "energy.1": 9_000_000})
    running, meter = bench(), GpuMeter()
    meter.add(settled(running))
    driver.change({"uuid.0": "GPU-1", "uuid.1": "GPU-0", "energy.0": 9_100_000, "energy.1": 1_200_000})
    found = running.sample(time.time(), after=sessions.REFRESH_SECONDS)
    assert [(one.uuid, one.index) for one in found.devices] == [("GPU-1", 0), ("GPU-0", 1)]
    meter.add(found)
    assert {uuid: sums.energy_joules for uuid, sums in meter.use.devices.items()} == {"GPU-0": 200.0, "GPU-1": 100.0}


def test_a_gpu_that_is_replaced_has_sums_of_its_own(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    running, meter = bench(), GpuMeter()
    meter.add(settled(running))
    driver.change({"uuid.0": "GPU-new", "energy.0": 7})
    for _ in range(2):
        meter.add(settled(running))
    assert meter.use.devices["GPU-new"].energy_joules == 0.0
    assert meter.use.devices["GPU-new"].measured_seconds > 0
    assert meter.use.devices["GPU-0"].energy_joules == 0.0


def test_sixteen_gpus_with_the_same_processes_are_told_apart(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    driver.devices(16)
    driver.change({f"tasks.{index}": f"41:{index}:0" for index in range(16)})
    found = settled(bench())
    assert found.problems == ()
    assert {one.device: one.utilization for one in found.processes if one.pid == 41} == {
        f"GPU-{index}": index / 100 for index in range(16)
    }
    assert decode(encode(found)) == found


def test_mig_that_is_turned_on_between_two_enumerations_leaves_no_wrong_value(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    running = bench()
    settled(running)
    driver.change({**MIG, "processes.0": ""})
    found = running.sample(time.time())
    card = found.device("GPU-0")
    assert card is not None
    assert card.utilization is None
    assert reasons(found, "GPU-0", "utilization") == {GpuReason.UNSUPPORTED}
    card = settled(running).device("GPU-0")
    assert card is not None
    assert [part.utilization for part in card.instances] == [0.75, 0.10]
    driver.change({**gpu(0), "mig.0": 0, "instances.0": None})
    found = settled(running)
    assert found.problems == ()
    assert found.device("GPU-0").utilization == 0.5  # type: ignore[union-attr]


def test_a_list_of_processes_that_is_empty_and_then_full_is_read(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    driver.change({"processes.0": "", "tasks.0": ""})
    running = bench()
    assert [one.pid for one in settled(running).processes if one.device == "GPU-0"] == []
    many = range(1000, 1900)
    driver.change({"processes.0": " ".join(f"{pid}:1" for pid in many), "tasks.0": "1000:100:0"})
    found = running.sample(time.time())
    assert [one.pid for one in found.processes if one.device == "GPU-0"] == list(many)
    assert found.problems == ()


@pytest.mark.parametrize("name", ["utilization.0", "memory_utilization.0"])
def test_a_utilization_above_100_per_cent_is_absent(
    driver: ScriptedDriver, bench: Callable[[], Bench], name: str
) -> None:
    driver.change({name: 101, "rates.0": None})
    found = settled(bench())
    assert getattr(found.device("GPU-0"), name.removesuffix(".0")) is None
    assert reasons(found, "GPU-0", "utilization") == {GpuReason.INVALID_VALUE}


@pytest.mark.parametrize("lines", [{"memory_total.0": 0, "memory_used.0": 0, "memory_free.0": 0}])
def test_a_gpu_that_claims_to_have_no_memory_shows_none(
    driver: ScriptedDriver, bench: Callable[[], Bench], lines: dict[str, object]
) -> None:
    driver.change(lines)
    found = settled(bench())
    card = found.device("GPU-0")
    assert card is not None
    assert (card.memory_total, card.memory_used, card.memory_free) == (None, None, None)
    assert reasons(found, "GPU-0", "memory") == {GpuReason.INVALID_VALUE}


@pytest.mark.parametrize("stamp", ["0", "future"])
def test_a_process_whose_sample_has_an_impossible_time_does_not_hide_the_others(
    driver: ScriptedDriver, bench: Callable[[], Bench], stamp: str
) -> None:
    driver.change({"tasks.0": "41:30:5 42:10:2", "stamp.0.42": stamp})
    running = bench()
    for _ in range(3):
        found = running.sample(time.time())
        assert {one.pid: one.utilization for one in found.processes if one.device == "GPU-0"} == {41: 0.3, 42: None}
        assert reasons(found, "GPU-0", "process_utilization") == {GpuReason.INVALID_VALUE}


def test_a_name_that_is_not_text_costs_the_name(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    whole = settled(bench())
    raw = driver.script.read_bytes().replace(b"name.0=NVIDIA H100", b"name.0=NVIDIA \xff\xfe")
    written = driver.script.with_suffix(".raw")
    written.write_bytes(raw)
    written.replace(driver.script)
    found = settled(bench())
    card = found.device("GPU-0")
    assert card is not None
    assert card.name is None
    assert reasons(found, "GPU-0", "name") == {GpuReason.INCONSISTENT}
    assert found.device("GPU-1") == whole.device("GPU-1")
    assert decode(encode(found)) == found
