"""Each limit of NVML, and each fault of a driver, by a scripted library that the real nvidia-ml-py loads."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.resources.gpu import session as sessions
from pilotfish.sidecar.resources.gpu.calls import CallPlace, SessionEndedError
from pilotfish.sidecar.resources.gpu.card import MOST_DEVICES
from pilotfish.sidecar.resources.gpu.problems import ENDS_SESSION, GpuReason, reason_of
from pilotfish.sidecar.resources.gpu.sample import DeviceSample, GpuSample, MigSample, encode
from pilotfish.sidecar.resources.gpu.sampler import decode
from pilotfish.sidecar.system.limits import within_memory
from tests.resources.gpu.conftest import Bench
from tests.support.examples import examples
from tests.support.nvml.driver import ScriptedDriver, gpu, instance

# The values that are missing when a call fails.
VALUES = {
    "nvmlDeviceGetEnforcedPowerLimit": ("power_limit",),
    "nvmlDeviceGetMigMode": (),
    "nvmlDeviceGetName": ("name",),
    "nvmlDeviceGetPowerUsage": ("power",),
    "nvmlDeviceGetTemperature": ("temperature",),
    "nvmlDeviceGetTotalEccErrors": ("ecc_corrected", "ecc_uncorrected"),
    "nvmlDeviceGetTotalEnergyConsumption": ("energy",),
    "nvmlDeviceGetUtilizationRates": ("utilization", "memory_utilization"),
    "nvmlGpmSampleGet": ("sm_utilization",),
}
READINGS = {
    "memory_free": "memory", "memory_total": "memory", "memory_used": "memory", "memory_utilization": "utilization",
    "mig_enabled": "mig",
}  # fmt: skip
HARMLESS = (2, 3, 4, 6, 7, 8, 10, 13, 14, 15, 16, 17, 19, 20, 21, 25, 27, 29, 30, 999, 4711, -1)


def reasons(sample: GpuSample, reading: str, device: str = "GPU-0") -> set[GpuReason]:
    return {one.reason for one in sample.problems if (one.reading, one.device) == (reading, device)}


def device(sample: GpuSample, uuid: str = "GPU-0") -> DeviceSample:
    found = sample.device(uuid)
    assert found is not None
    return found


def unexplained(sample: GpuSample) -> set[tuple[str, str]]:
    """Return the values that are absent without a problem."""
    parts: list[DeviceSample | MigSample] = list(sample.devices)
    parts += [part for card in sample.devices for part in card.instances]
    absent = {
        (one.uuid, READINGS.get(field.name, field.name))
        for one in parts
        for field in dataclasses.fields(one)
        if getattr(one, field.name) is None and field.name not in {"compute_instance", "gpu_instance", "share"}
    }
    return absent - {(one.device, one.reading) for one in sample.problems}


def two(bench: Bench) -> GpuSample:
    """Return the second sample: some values compare two."""
    bench.sample(time.time())
    return bench.sample(time.time())


def test_a_healthy_gpu_has_every_value_and_no_problem(bench: Callable[[], Bench]) -> None:
    found = two(bench())
    assert device(found) == DeviceSample(
        uuid="GPU-0", index=0, name="NVIDIA H100 80GB HBM3",
        utilization=0.5, memory_utilization=0.2, sm_utilization=0.255,
        memory_total=80 << 30, memory_used=20 << 30, memory_free=59 << 30,
        power=300.0, power_limit=700.0, energy=5000.0, temperature=60,
        ecc_corrected=3, ecc_uncorrected=0, xids=(), mig_enabled=False, instances=(),
    )  # fmt: skip
    assert found.problems == ()
    assert found.driver == "580.65.06"
    assert found.seconds == 1.0
    assert [(one.pid, one.device, one.memory_used) for one in found.processes] == [
        (41, "GPU-0", 1024), (42, "GPU-0", 2048), (41, "GPU-1", 1024), (42, "GPU-1", 2048),
    ]  # fmt: skip
    assert decode(encode(found)) == found


@pytest.mark.parametrize("call", VALUES)
def test_a_failed_call_costs_its_values_and_no_other(
    driver: ScriptedDriver, bench: Callable[[], Bench], call: str
) -> None:
    whole = device(two(bench()))
    for code in HARMLESS:
        driver.change({f"fail.{call}.0": code})
        found = two(bench())
        damaged = device(found)
        assert {name for name in VALUES[call] if getattr(damaged, name) is not None} == set()
        kept = {one.name: getattr(whole, one.name) for one in dataclasses.fields(whole) if one.name not in VALUES[call]}
        assert {name: getattr(damaged, name) for name in kept if name != "mig_enabled"} == {
            name: value for name, value in kept.items() if name != "mig_enabled"
        }
        assert dataclasses.replace(device(found, "GPU-1"), uuid="GPU-0", index=0) == whole
        for name in VALUES[call]:
            reading = "utilization" if name == "memory_utilization" else name
            assert reasons(found, reading) == {reason_of(code)}


@pytest.mark.parametrize("code", [1, 9, 18])
def test_a_driver_that_is_gone_ends_the_session_with_its_reason(
    driver: ScriptedDriver, bench: Callable[[], Bench], code: int
) -> None:
    running = bench()
    running.sample(time.time())
    driver.change({"fail.*": code})
    with pytest.raises(SessionEndedError) as raised:
        running.sample(time.time())
    assert raised.value.problem.reason in ENDS_SESSION


def test_one_call_that_claims_that_the_driver_is_gone_costs_its_value_and_a_new_session_later(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    running = bench()
    driver.change({"fail.nvmlDeviceGetPowerUsage.0": 18})
    found = two(running)
    assert [one.power for one in found.devices] == [None, 300.0]
    assert reasons(found, "power") == {GpuReason.VERSION_MISMATCH}
    assert not running.session.outdated(running.moment)
    assert running.session.outdated(running.moment + sessions.REOPEN_SECONDS)


def with_mig(driver: ScriptedDriver, **more: object) -> None:
    driver.change({"mig.0": 1, "instances.0": 7, **instance(0, 0), **instance(0, 2)} | more)
    driver.change({"gpm_running.0.7": 75, "gpm_busy.0.7": 40, "gpm_running.0.9": 10, "gpm_busy.0.9": 5})


def test_under_mig_utilization_is_that_of_the_instances_by_gpm(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    with_mig(driver)
    found = two(bench())
    card = device(found)
    assert (card.mig_enabled, card.utilization, card.memory_utilization, card.sm_utilization) == (
        True,
        None,
        None,
        None,
    )
    assert reasons(found, "utilization") == reasons(found, "process_utilization") == {GpuReason.MIG}
    assert (card.power, card.energy) == (300.0, 5000.0)
    assert not unexplained(found)
    assert [(one.uuid, one.gpu_instance, one.utilization, one.sm_utilization) for one in card.instances] == [
        ("MIG-0-0", 7, 0.75, 0.40),
        ("MIG-0-2", 9, 0.10, 0.05),
    ]
    assert card.instances[0] == MigSample(
        uuid="MIG-0-0", gpu_instance=7, compute_instance=0, slices=1, share=1 / 7, memory_total=10 << 30,
        memory_used=1 << 30, memory_free=9 << 30, utilization=0.75, sm_utilization=0.40,
    )  # fmt: skip
    assert [(one.pid, one.instance, one.utilization) for one in found.processes if one.device == "GPU-0"] == [
        (50, "MIG-0-0", None),
        (52, "MIG-0-2", None),
    ]


def test_compute_instances_of_one_gpu_instance_share_its_utilization(
    driver: ScriptedDriver, bench: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mig(driver)
    driver.change({"instance.0.2.gpu_instance": 7, "instance.0.2.compute_instance": 1})
    running, names = bench(), list[str]()
    read = running.calls.read

    def recorded(reading: str, place: CallPlace, name: str, *arguments: object) -> object:
        names.append(name)
        return read(reading, place, name, *arguments)

    monkeypatch.setattr(running.calls, "read", recorded)
    assert [one.utilization for one in device(two(running)).instances] == [0.75, 0.75]
    assert names.count("nvmlGpmMigSampleGet") == 2  # once in each sample


def test_under_mig_before_hopper_utilization_is_unavailable_with_the_reason(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    with_mig(driver, **{"gpm.0": 0})
    found = two(bench())
    assert not unexplained(found)
    assert [one.utilization for one in device(found).instances] == [None, None]
    assert reasons(found, "utilization", "MIG-0-0") == {GpuReason.MIG}
    assert reasons(found, "sm_utilization", "MIG-0-0") == {GpuReason.UNSUPPORTED}


def test_a_gpu_that_is_repartitioned_is_read_anew(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    running = bench()
    two(running)
    with_mig(driver)
    assert device(running.sample(time.time(), after=sessions.REFRESH_SECONDS)).mig_enabled
    driver.change({"mig.0": 0, "instances.0": None})
    found = running.sample(time.time(), after=sessions.REFRESH_SECONDS)
    assert (device(found).mig_enabled, device(found).utilization, device(found).instances) == (False, 0.5, ())


@pytest.mark.parametrize(
    "lines",
    [
        {"empty.nvmlDeviceGetProcessUtilization": 1},
        {"fail.nvmlDeviceGetProcessUtilization": 6},
        {"tasks.0": ""},
        {"tasks.0": None, "tasks.1": None},
    ],
    ids=["success without samples", "not found", "no active process", "no list"],
)
def test_processes_without_utilization_samples_have_none(
    driver: ScriptedDriver, bench: Callable[[], Bench], lines: dict[str, object]
) -> None:
    driver.change(lines)
    found = two(bench())
    assert [(one.pid, one.utilization) for one in found.processes if one.device == "GPU-0"] == [(41, None), (42, None)]
    assert reasons(found, "process_utilization") == {GpuReason.NO_SAMPLES}


def test_an_idle_gpu_without_processes_has_no_problem(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"processes.0": "", "tasks.0": ""})
    assert reasons(bench().sample(time.time()), "process_utilization") == set()


def test_a_driver_with_only_the_new_call_for_processes_is_read(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    driver.change({"fail.nvmlDeviceGetProcessUtilization": 3})
    assert [one.utilization for one in bench().sample(time.time()).processes][:2] == [0.3, 0.1]


def test_values_of_processes_that_cannot_be_are_left_out(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"processes.0": "0:1 41:? 42:2048 4000000000:7", "tasks.0": "41:4294967295:5 42:101:3 0:30:2"})
    found = bench().sample(time.time())
    assert [(one.pid, one.memory_used, one.utilization) for one in found.processes if one.device == "GPU-0"] == [
        (41, None, None),
        (42, 2048, None),
    ]
    assert reasons(found, "processes") == {GpuReason.FOREIGN_PROCESS}
    assert GpuReason.UNSUPPORTED in reasons(found, "process_memory")
    assert {GpuReason.INVALID_VALUE, GpuReason.UNSUPPORTED} <= reasons(found, "process_utilization")


def test_clients_of_mps_are_processes_too(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"processes.0": "41:1024", "clients.0": "41:4096 43:512"})
    found = bench().sample(time.time())
    assert {one.pid: one.memory_used for one in found.processes if one.device == "GPU-0"} == {
        41: 4096,
        42: None,
        43: 512,
    }


LISTS = {
    "nvmlDeviceGetComputeRunningProcesses_v3": "processes",
    "nvmlDeviceGetProcessUtilization": "process_utilization",
    "nvmlDeviceGetSamples": "utilization",
}


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize(
    ("fault", "value"), [("grow", 1), ("lie", 4_000_000), ("count", 4_294_967_295), ("count", 300_000_000)]
)
def test_a_list_that_contradicts_itself_costs_its_values_only(
    driver: ScriptedDriver, bench: Callable[[], Bench], call: str, fault: str, value: int
) -> None:
    driver.change({f"{fault}.{call}": value})
    running = bench()
    with within_memory(64 * 1024 * 1024):
        found = two(running)
    assert device(found).power == 300.0
    assert device(found).utilization == 0.5
    if call == "nvmlDeviceGetComputeRunningProcesses_v3":
        assert reasons(found, "processes") <= {GpuReason.INCONSISTENT, GpuReason.TOO_MANY, GpuReason.FOREIGN_PROCESS}
        assert all(one.memory_used is None or one.memory_used in {1024, 2048} for one in found.processes)


def test_a_refused_list_of_processes_is_a_problem_and_not_an_empty_list(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    driver.change({"fail.nvmlDeviceGetComputeRunningProcesses_v3": 4, "fail.nvmlDeviceGetProcessUtilization": 4})
    found = bench().sample(time.time())
    assert found.processes == ()
    assert reasons(found, "processes") == reasons(found, "process_utilization") == {GpuReason.NO_PERMISSION}


@pytest.mark.parametrize(("count", "read"), [(0, 0), (1, 1), (3, 2), (4_294_967_295, 2)])
def test_the_number_of_gpus_may_be_wrong(
    driver: ScriptedDriver, bench: Callable[[], Bench], count: int, read: int
) -> None:
    driver.change({"devices": count})
    found = bench().sample(time.time())
    assert len(found.devices) == read
    whole = {one.reason for one in found.problems if not one.device}
    assert whole == ({GpuReason.NO_DEVICE} if count == 0 else {GpuReason.TOO_MANY} if count > MOST_DEVICES else set())
    assert (GpuReason.FAILED in reasons(found, "devices", "#2")) == (count > 2)


def test_a_lost_gpu_has_no_values_and_the_others_keep_theirs(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    running = bench()
    two(running)
    calls = [*VALUES, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID", "nvmlDeviceGetMemoryInfo_v2"]
    calls += ["nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetProcessUtilization", "nvmlEventSetWait_v2"]
    driver.change({f"fail.{call}.0": 15 for call in calls})
    found = running.sample(time.time())
    lost = device(found)
    assert [lost.utilization, lost.memory_used, lost.power, lost.energy, lost.temperature] == [None] * 5
    assert device(found, "GPU-1").utilization == 0.5
    assert GpuReason.DEVICE_LOST in reasons(found, "power")
    assert not running.session.outdated(running.moment + 1)
    assert running.session.outdated(running.moment + sessions.REOPEN_SECONDS)
    found = running.sample(time.time(), after=sessions.REFRESH_SECONDS)
    assert [one.uuid for one in found.devices] == ["GPU-1"]
    assert reasons(found, "devices", "#0") == {GpuReason.DEVICE_LOST}


def test_a_gpu_that_is_plugged_in_is_seen_by_the_next_session(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    running = bench()
    assert len(running.sample(time.time()).devices) == 2
    driver.change({"devices": 3, **gpu(2)})
    assert not running.session.outdated(running.moment)
    running.listed.append("0000:02:00.0")
    assert running.session.outdated(running.moment)
    running.open()
    assert len(running.sample(time.time()).devices) == 3


def test_an_xid_error_is_reported_once(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"xids.0": "13"})  # before the session: it is not ours
    running = bench()
    assert device(running.sample(time.time())).xids == ()
    driver.change({"xids.0": "13 79 31"})
    assert device(running.sample(time.time())).xids == (79, 31)
    assert device(running.sample(time.time())).xids == ()


def test_a_counter_may_pass_through_the_value_for_not_available(
    driver: ScriptedDriver, bench: Callable[[], Bench]
) -> None:
    driver.change({"energy.0": 2**32 - 1, "power.0": 2**32 - 1, "energy.1": 2**64 - 1})
    found = bench().sample(time.time())
    assert [one.energy for one in found.devices] == [4_294_967.295, None]
    assert device(found).power is None
    assert reasons(found, "power") == reasons(found, "energy", "GPU-1") == {GpuReason.UNSUPPORTED}


def test_the_mean_of_the_drivers_samples_is_preferred(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"rates.0": "10 20"})
    assert device(bench().sample(time.time())).utilization == pytest.approx(0.15)


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_samples_go_on_after_the_clock_was_set(driver: ScriptedDriver, bench: Callable[[], Bench], jump: int) -> None:
    running = bench()
    running.sample(time.time())
    driver.change({"clock": jump * 1_000_000, "rates.0": "15 15"})
    found = [running.sample(time.time()) for _ in range(2)]  # the first call may find nothing new
    assert device(found[1]).utilization == pytest.approx(0.15)
    assert 0.3 in {one.utilization for part in found for one in part.processes}


def test_hidden_processes_are_a_problem_and_not_zero(driver: ScriptedDriver, bench: Callable[[], Bench]) -> None:
    driver.change({"processes.0": "", "tasks.0": None, "processes.1": "", "memory_used.1": 1 << 20})
    running = bench()
    assert reasons(running.sample(time.time()), "processes") == set()
    running.isolated = True
    running.open()
    found = running.sample(time.time())
    assert reasons(found, "processes") == {GpuReason.FOREIGN_PROCESS}
    assert reasons(found, "processes", "GPU-1") == set()


@pytest.mark.parametrize("uuid", ["", "GPU-1"])
def test_a_gpu_without_a_uuid_of_its_own_is_left_out_with_a_reason(
    driver: ScriptedDriver, bench: Callable[[], Bench], uuid: str
) -> None:
    driver.change({"uuid.0": uuid})
    found = bench().sample(time.time())
    assert [one.uuid for one in found.devices] == ["GPU-1"]
    assert {one.reason for one in found.problems} & {GpuReason.INVALID_VALUE, GpuReason.INCONSISTENT}


KEYS = sorted(name.removesuffix(".0") for name in gpu(0) if name not in {"uuid.0", "name.0", "xids.0"})
NUMBERS = st.one_of(
    st.integers(-(2**64), 2**64).map(str),
    st.sampled_from(["nan", "inf", "-inf", "4294967295", "18446744073709551615", "-1", "", "100", "101", "1e999"]),
)
RANGES = {"utilization": 1.0, "memory_utilization": 1.0, "sm_utilization": 1.0, "power": 1e5, "power_limit": 1e5}


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), NUMBERS, min_size=1))
def test_every_value_is_in_range_or_absent(
    driver: ScriptedDriver, bench: Callable[[], Bench], values: dict[str, str]
) -> None:
    driver.change({**gpu(0), **{f"{name}.0": value for name, value in values.items()}})
    with within_memory(64 * 1024 * 1024):
        found = two(bench())
    assert decode(encode(found)) == found
    assert not unexplained(found)
    for one in found.devices:
        for name, most in RANGES.items():
            value = getattr(one, name)
            assert value is None or 0 <= value <= most
        assert one.memory_total is None or one.memory_used is None or one.memory_used <= one.memory_total
    assert all(0 < one.pid < 2**31 for one in found.processes)


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*VALUES, *LISTS, "nvmlDeviceGetUUID", "nvmlEventSetCreate"]), st.integers(-10, 1010)
    )
)
def test_any_code_from_any_call_gives_a_sample_or_ends_the_session(
    driver: ScriptedDriver, bench: Callable[[], Bench], codes: dict[str, int]
) -> None:
    driver.lines = {name: value for name, value in driver.lines.items() if not name.startswith("fail.")}
    driver.change({f"fail.{call}": code for call, code in codes.items()})
    try:
        found = two(bench())
    except SessionEndedError:
        assert {reason_of(code) for code in codes.values()} & ENDS_SESSION
    else:
        assert decode(encode(found)) == found
        assert not unexplained(found)
