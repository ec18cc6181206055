"""Each call of NVML returns each error: what is not known is absent with a reason, and everything comes back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from pilotfish.sidecar.resources.gpu import session as sessions
from pilotfish.sidecar.resources.gpu.calls import SessionEndedError
from pilotfish.sidecar.resources.gpu.collector import collect
from pilotfish.sidecar.resources.gpu.meter import GpuUse, ResourceSum
from pilotfish.sidecar.resources.gpu.sample import DeviceSample, GpuSample, MigSample
from tests.resources.gpu.conftest import Bench
from tests.support.nvml.driver import ScriptedDriver, instance

# name of nvmlReturn_t: value
ERRORS = {
    "UNINITIALIZED": 1,
    "INVALID_ARGUMENT": 2,
    "NOT_SUPPORTED": 3,
    "NO_PERMISSION": 4,
    "NOT_FOUND": 6,
    "INSUFFICIENT_SIZE": 7,
    "DRIVER_NOT_LOADED": 9,
    "TIMEOUT": 10,
    "LIBRARY_NOT_FOUND": 12,
    "FUNCTION_NOT_FOUND": 13,
    "GPU_IS_LOST": 15,
    "RESET_REQUIRED": 16,
    "LIB_RM_VERSION_MISMATCH": 18,
    "NO_DATA": 21,
    "GPU_NOT_FOUND": 28,
    "UNKNOWN": 999,
}
OF_A_GPU = (
    "nvmlDeviceGetAttributes_v2",
    "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetGpuInstanceId",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMPSComputeRunningProcesses_v3",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetProcessUtilization",
    "nvmlDeviceGetProcessesUtilizationInfo",
    "nvmlDeviceGetSamples",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetUUID",
    "nvmlDeviceRegisterEvents",
    "nvmlEventSetWait_v2",
    "nvmlGpmMetricsGet",
    "nvmlGpmMigSampleGet",
    "nvmlGpmQueryDeviceSupport",
    "nvmlGpmSampleGet",
)
OF_THE_MACHINE = (
    "nvmlDeviceGetCount_v2",
    "nvmlEventSetCreate",
    "nvmlGpmSampleAlloc",
    "nvmlSystemGetDriverVersion",
)
# fields whose reason has another name
READINGS = {
    "memory_free": "memory", "memory_total": "memory", "memory_used": "memory", "memory_utilization": "utilization",
    "mig_enabled": "mig", "gpu_instance": "mig", "compute_instance": "mig", "share": "mig",
}  # fmt: skip
# a GPU under MIG has no utilization of its own
MIG = {
    "mig.0": 1, "instances.0": 7, **instance(0, 0), **instance(0, 2),
    **dict.fromkeys(("utilization.0", "rates.0", "tasks.0", "gpm_busy.0", "gpm_running.0")),
    "gpm_running.0.7": 75, "gpm_busy.0.7": 40, "gpm_running.0.9": 10, "gpm_busy.0.9": 5,
}  # fmt: skip
# what a call means by an error
NO_FAULT = {
    ("nvmlDeviceGetMigDeviceHandleByIndex", "NOT_FOUND"),  # there is no instance with this index
    ("nvmlDeviceGetMigDeviceHandleByIndex", "NO_DATA"),
    ("nvmlDeviceGetMigMode", "FUNCTION_NOT_FOUND"),  # this GPU has no MIG
    ("nvmlDeviceGetMigMode", "NOT_SUPPORTED"),
}


def settled(bench: Bench) -> GpuSample:
    """Return a sample after the next enumeration; some values compare two samples."""
    bench.sample(time.time(), after=sessions.REFRESH_SECONDS)
    return bench.sample(time.time())


def parts(sample: GpuSample) -> dict[str, DeviceSample | MigSample]:
    found: dict[str, DeviceSample | MigSample] = {one.uuid: one for one in sample.devices}
    return found | {part.uuid: part for one in sample.devices for part in one.instances}


def series(sample: GpuSample) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *one.labels.values()): one.value
        for family in collect(sample, GpuUse(devices={"GPU-0": ResourceSum()}), {})
        for one in family.samples
    }


def assert_honest(found: GpuSample, whole: GpuSample, fault: str) -> None:
    """Check that each value is the true one or absent with a reason, and that the other GPU has all of its values."""
    explained = {(one.device, one.reading) for one in found.problems}
    shown = series(found)
    for uuid, true in parts(whole).items():
        part = parts(found).get(uuid)
        if part is None:
            devices = {one.device for one in found.problems if one.reading in ("devices", "mig")}
            assert devices, f"{fault}: {uuid} is left out without a reason"
            continue
        for field in dataclasses.fields(true):
            value, wanted = getattr(part, field.name), getattr(true, field.name)
            if field.name in ("instances", "xids", "index") or value == wanted:
                continue
            assert value is None, f"{fault}: {uuid} {field.name} is {value!r}, not {wanted!r}"
            readings = {field.name, READINGS.get(field.name, field.name)} | (
                {"slices"} if field.name == "share" else set()
            )
            assert {(uuid, one) for one in readings} & explained, f"{fault}: {uuid} {field.name} has no reason"
    assert_processes_honest(found, whole, fault)
    for uuid in parts(found):
        assert shown.get(("pilotfish_gpu_processes", uuid)) != 0, f"{fault}: {uuid} has no processes"
    reasons = {key[1:3] for key in shown if key[0] == "pilotfish_gpu_unavailable"}
    assert reasons == {one for one in explained if one[1] != "process_utilization"} | (
        reasons & {one for one in explained if one[1] == "process_utilization"}
    )


def assert_processes_honest(found: GpuSample, whole: GpuSample, fault: str) -> None:
    there = {(one.device, one.instance, one.pid): one for one in found.processes}
    units = {one.instance or one.device for one in found.processes}
    for true in whole.processes:
        one = there.get((true.device, true.instance, true.pid))
        unit = true.instance or true.device
        reasons = {
            problem.reading
            for problem in found.problems
            if problem.device in (unit, true.device, "#0", "") or unit not in units
        }
        if one is None:
            assert reasons & {"processes", "devices", "mig"}, f"{fault}: process {true.pid} on {unit} without a reason"
        elif one.memory_used is None:
            assert reasons & {"process_memory", "processes"}, f"{fault}: memory of {true.pid} without a reason"
        elif one.utilization != true.utilization:
            assert one.utilization is None
            assert "process_utilization" in reasons, f"{fault}: utilization of {true.pid} without a reason"


OFTEN = ("NOT_FOUND", "UNINITIALIZED", "UNKNOWN")


@pytest.mark.parametrize("names", [OFTEN, pytest.param((*ERRORS,), marks=pytest.mark.long)], ids=["some", "all"])
@pytest.mark.parametrize("mig", [False, True], ids=["whole", "MIG"])
@pytest.mark.parametrize("call", [*OF_A_GPU, *OF_THE_MACHINE])
def test_whatever_a_call_returns_nothing_is_zero_and_it_comes_back(
    driver: ScriptedDriver, bench: Callable[[], Bench], call: str, mig: bool, names: Sequence[str]
) -> None:
    if mig:
        driver.change(MIG)
    whole = settled(bench())
    fault = f"fail.{call}.0" if call in OF_A_GPU else f"fail.{call}"
    for name in names:
        if (call, name) not in NO_FAULT:
            assert_survived(driver, bench(), {fault: ERRORS[name]}, whole, f"{call} returns {name}")


def assert_survived(
    driver: ScriptedDriver, running: Bench, fault: Mapping[str, object], whole: GpuSample, name: str
) -> None:
    """Let a fault begin and end in a session: what is shown is honest, and everything comes back."""
    assert settled(running).devices == whole.devices
    driver.change(fault)
    try:
        for found in (running.sample(time.time()), settled(running)):
            assert_honest(found, whole, name)
            assert {one.uuid for one in found.devices} >= {"GPU-1"} or call_of_all(fault), f"{name}: GPU-1 is gone"
            assert found.device("GPU-1") == whole.device("GPU-1") or call_of_all(fault), f"{name}: GPU-1 is damaged"
    except SessionEndedError as error:
        if call_of_all(fault):
            running.open()
        else:
            raise AssertionError(f"{name}: the session ended, though the driver works: {error.problem}") from error
    driver.change(dict.fromkeys(fault))
    found = settled(running)
    if not found.devices:  # the sampling process ends with such a sample, and another one begins
        running.open()
        found = settled(running)
    assert found.devices == whole.devices, f"{name}: the values do not come back"
    assert found.problems == whole.problems, f"{name}: a reason stays"
    assert [one.pid for one in found.processes] == [one.pid for one in whole.processes]


def call_of_all(fault: Mapping[str, object]) -> bool:
    return any(name.rpartition(".")[2] in OF_THE_MACHINE for name in fault)
