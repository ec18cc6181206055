"""The sampling process: killed when it hangs, started again when it ends, and gone when nobody reads."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from pilotfish.sidecar.resources.gpu import sampler as sampler_module
from pilotfish.sidecar.resources.gpu.collector import collect
from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sample import GpuSample
from pilotfish.sidecar.resources.gpu.sampler import GpuSampler, SamplerOptions
from tests.resources.gpu.test_faults import MIG, OF_A_GPU
from tests.support.nvml.driver import ScriptedDriver, build, gpu
from tests.support.processes import is_running
from tests.support.sizes import size
from tests.support.waiting import eventually, patient

Running = Callable[..., object]


@asynccontextmanager
async def sampling(environment: dict[str, str], silence: float = 60.0) -> AsyncIterator[GpuSampler]:
    """Run a sampler that takes 50 samples a second, and does not wait before a restart."""
    options = SamplerOptions(
        interval=0.02, first_sample=patient(silence), next_sample=patient(silence), environment=environment
    )
    sampler = GpuSampler(options, sleep=lambda seconds: asyncio.sleep(seconds / 100))
    task = asyncio.create_task(sampler.run())
    try:
        yield sampler
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def sampled(sampler: GpuSampler, wanted: Callable[[GpuSample], object]) -> GpuSample:
    await eventually(lambda: wanted(sampler.latest), timeout=20, what="another sample")
    return sampler.latest


def problems(sample: GpuSample) -> set[tuple[str, str, GpuReason]]:
    return {(one.device, one.reading, one.reason) for one in sample.problems}


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_samples_follow_each_change_of_the_gpu(driver: ScriptedDriver) -> None:
    async def run() -> None:
        async with sampling(driver.environment) as sampler:
            assert sampler.latest.problems[0].reason is GpuReason.STARTING
            await sampled(sampler, lambda sample: sample.devices)
            driver.change({"power.1": 123_000})
            await sampled(sampler, lambda sample: sample.devices[1].power == 123.0)
            await eventually(lambda: sampler.use.devices["GPU-1"].measured_seconds > 0)

    asyncio.run(run())


def test_a_machine_without_the_library_has_no_series_and_one_line_of_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
        async with sampling(environment) as sampler:
            await eventually(lambda: sampler.restarts.get(GpuReason.LIBRARY_MISSING, 0) >= 3, timeout=20)
            assert sampler.latest.devices == ()
            assert not [one for one in collect(sampler.latest, sampler.use, sampler.restarts) if one.samples]

    with caplog.at_level(logging.INFO, "pilotfish.gpu"):
        asyncio.run(run())
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.INFO


def test_a_machine_with_a_driver_and_no_gpu_has_no_series(driver: ScriptedDriver) -> None:
    async def run() -> None:
        driver.change({"devices": 0})
        async with sampling(driver.environment) as sampler:
            await eventually(lambda: sampler.restarts.get(GpuReason.NO_DEVICE, 0) >= 1, timeout=20)
            assert not [one for one in collect(sampler.latest, sampler.use, sampler.restarts) if one.samples]
            driver.change({"devices": 1})  # it is plugged in
            assert len((await sampled(sampler, lambda sample: sample.devices)).devices) == 1

    asyncio.run(run())


def test_a_driver_without_the_newer_calls_is_sampled_by_the_older_ones(driver: ScriptedDriver, tmp_path: Path) -> None:
    async def run() -> None:
        driver.library = build(tmp_path / "old", "-DOLD")
        async with sampling(driver.environment) as sampler:
            found = await sampled(sampler, lambda sample: sample.devices)
            assert found.devices[0].memory_used == 20 << 30
            assert found.processes[0].memory_used == 1024
            assert problems(found) == {
                (uuid, "sm_utilization", GpuReason.FUNCTION_MISSING) for uuid in ("GPU-0", "GPU-1")
            }

    asyncio.run(run())


def test_a_process_that_dies_inside_the_driver_is_started_again(driver: ScriptedDriver) -> None:
    async def run() -> None:
        async with sampling(driver.environment) as sampler:
            await sampled(sampler, lambda sample: sample.devices)
            driver.change({"crash.nvmlDeviceGetPowerUsage": 1})
            await eventually(lambda: sampler.restarts.get(GpuReason.SAMPLER_DIED, 0) >= 1, timeout=20)
            assert sampler.latest.devices == ()
            before = sampler.use.devices["GPU-0"].measured_seconds
            driver.change({"crash.nvmlDeviceGetPowerUsage": None})
            await sampled(sampler, lambda sample: sample.devices)
            assert sampler.use.devices["GPU-0"].measured_seconds >= before

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (9, GpuReason.DRIVER_NOT_LOADED),
        pytest.param(18, GpuReason.VERSION_MISMATCH, marks=pytest.mark.long),
        pytest.param(999, GpuReason.FAILED, marks=pytest.mark.long),
    ],
)
def test_a_driver_that_is_reloaded_is_reported_and_used_again(
    driver: ScriptedDriver, code: int, reason: GpuReason
) -> None:
    async def run() -> None:
        async with sampling(driver.environment) as sampler:
            await sampled(sampler, lambda sample: sample.devices)
            gone = {"fail.nvmlInitWithFlags": code, "fail.*": 1}
            driver.change(gone)
            found = await sampled(sampler, lambda sample: ("", "devices", reason) in problems(sample))
            assert found.devices == ()
            shown = {one.name for one in collect(found, sampler.use, sampler.restarts) if one.samples}
            assert {"pilotfish_gpu_unavailable", "pilotfish_gpu_sampler_restarts"} <= shown
            assert "pilotfish_gpu_utilization_ratio" not in shown
            driver.change(dict.fromkeys(gone))
            await sampled(sampler, lambda sample: sample.devices)

    asyncio.run(run())


@pytest.mark.long
def test_a_call_that_hangs_costs_its_value_only(driver: ScriptedDriver) -> None:
    async def run() -> None:
        driver.change({"hang.nvmlDeviceGetPowerUsage.1": 1})
        async with sampling(driver.environment, silence=1.0) as sampler:
            await sampled(sampler, lambda sample: sample.problems[0].reason is GpuReason.SAMPLER_HUNG)
            assert "nvmlDeviceGetPowerUsage@1 did not return" in sampler.latest.problems[0].detail
            found = await sampled(sampler, lambda sample: sample.devices)
            assert [one.power for one in found.devices] == [300.0, None]
            assert ("GPU-1", "power", GpuReason.AVOIDED) in problems(found)
            assert found.devices[1].energy == 5000.0

    asyncio.run(run())


@pytest.mark.long
def test_a_driver_that_hangs_from_the_start_leaves_one_process_at_a_time(driver: ScriptedDriver) -> None:
    async def run() -> None:
        before = set(children())
        driver.change({"hang.nvmlInitWithFlags": 1})
        async with sampling(driver.environment, silence=0.5) as sampler:
            await eventually(lambda: sampler.restarts.get(GpuReason.SAMPLER_HUNG, 0) >= 2, timeout=30)
            assert len(set(children()) - before) <= 1
            driver.change({"hang.nvmlInitWithFlags": None})
            await sampled(sampler, lambda sample: sample.devices)

    asyncio.run(run())


def test_a_process_that_hangs_inside_the_kernel_is_reported_before_it_ends(
    driver: ScriptedDriver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, may_end = sampler_module._end, asyncio.Event()

    async def stuck(process: subprocess.Popen[bytes], seconds: float = math.inf) -> None:
        if seconds == math.inf:
            await may_end.wait()
        await real(process, seconds)

    async def run() -> None:
        monkeypatch.setattr(sampler_module, "_end", stuck)
        driver.change({"hang.nvmlInitWithFlags": 1})
        async with sampling(driver.environment, silence=0.2) as sampler:
            found = await sampled(sampler, lambda sample: sample.problems[0].reason is GpuReason.SAMPLER_HUNG)
            shown = [one.name for one in collect(found, sampler.use, sampler.restarts) if one.samples]
            assert shown == ["pilotfish_gpu_unavailable", "pilotfish_gpu_sampler_restarts"]
            driver.change({"hang.nvmlInitWithFlags": None})
            may_end.set()

    asyncio.run(run())
    assert any("did not return" in record.message for record in caplog.records)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["crash", "hang"])
@pytest.mark.parametrize("call", [*OF_A_GPU, "nvmlEventSetCreate", "nvmlGpmSampleAlloc", "nvmlSystemGetDriverVersion"])
def test_a_call_that_never_works_costs_its_value_and_the_other_gpu_keeps_its_own(
    driver: ScriptedDriver, call: str, kind: str
) -> None:
    async def run() -> None:
        driver.change(MIG)
        fault = f"{kind}.{call}.0" if call in OF_A_GPU else f"{kind}.{call}"
        driver.change({fault: 1})
        async with sampling(driver.environment, silence=60.0 if kind == "crash" else 2.0) as sampler:
            await sampled(sampler, lambda sample: any(one.uuid == "GPU-1" for one in sample.devices))
            other = sampler.latest.device("GPU-1")
            assert other is not None
            assert (other.utilization, other.power, other.energy) == (0.5, 300.0, 5000.0)
            avoided = any(one.reason is GpuReason.AVOIDED for one in sampler.latest.problems)
            assert avoided == bool(sampler.restarts)  # some calls are not needed for this GPU
            driver.change({fault: None})
            await sampled(sampler, lambda sample: sample.device("GPU-1"))

    asyncio.run(run())


@pytest.mark.long
def test_a_stopped_process_gives_no_stale_values(driver: ScriptedDriver) -> None:
    async def run() -> None:
        before = set(children())
        async with sampling(driver.environment) as sampler:
            await sampled(sampler, lambda sample: sample.devices)
            (child,) = set(children()) - before
            os.kill(child, signal.SIGSTOP)
            found = await sampled(sampler, lambda sample: not sample.devices)
            assert found.problems[0].reason is GpuReason.SAMPLER_HUNG
            os.kill(child, signal.SIGCONT)
            await sampled(sampler, lambda sample: sample.devices)
        assert not is_running(child)

    asyncio.run(run())


def test_a_gpu_that_is_added_joins(driver: ScriptedDriver) -> None:
    async def run() -> None:
        async with sampling(driver.environment) as sampler:
            await sampled(sampler, lambda sample: sample.devices)
            driver.change({"devices": 3, **gpu(2), "fail.*": 1})  # the driver is reloaded
            await eventually(lambda: sampler.restarts, timeout=20)
            driver.change({"fail.*": None})
            await sampled(sampler, lambda sample: len(sample.devices) == 3)

    asyncio.run(run())


def test_a_process_that_cannot_be_started_is_tried_again(
    driver: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.memfd_create
    left = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENOSYS, "Function not implemented")]

    def failing(name: str) -> int:
        if left:
            raise left.pop()
        return real(name)

    async def run() -> None:
        monkeypatch.setattr(os, "memfd_create", failing)
        async with sampling(driver.environment) as sampler:
            await sampled(sampler, lambda sample: sample.devices)
            assert sampler.restarts == {GpuReason.SAMPLER_DIED: 2}

    asyncio.run(run())


def test_output_that_is_no_sample_ends_the_process(driver: ScriptedDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        decode = sampler_module.decode
        monkeypatch.setattr(sampler_module, "decode", lambda line: decode(line[:-3]))
        async with sampling(driver.environment) as sampler:
            await eventually(lambda: sampler.restarts.get(GpuReason.SAMPLER_DIED, 0) >= 1, timeout=20)
            assert "cannot be read" in sampler.latest.problems[0].detail
            monkeypatch.setattr(sampler_module, "decode", decode)
            await sampled(sampler, lambda sample: sample.devices)

    asyncio.run(run())


FAULTS = (
    {"crash.nvmlDeviceGetName": 1},
    {"hang.nvmlDeviceGetTemperature.0": 1},
    {"devices": 0},
    {"devices": 4_000_000_000},
    {"fail.nvmlDeviceGetCount_v2": 999},
    {"fail.nvmlInitWithFlags": 18, "fail.nvmlDeviceGetUUID": 1},
    {"fail.nvmlDeviceGetHandleByIndex_v2": 15},
    {"count.nvmlDeviceGetComputeRunningProcesses_v3": 4_000_000_000},
    {"lie.nvmlDeviceGetSamples": 4_000_000_000},
    {"uuid.0": "", "uuid.1": "GPU-2"},
    {"mig.0": 1, "instances.0": 4_000_000_000},
    {"clock": -(10**15)},
    {"energy.0": 1, "power.0": 4_294_967_295},
)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_after_any_sequence_of_faults_the_samples_come_back(driver: ScriptedDriver, seed: int) -> None:
    random = Random(seed)

    async def run() -> None:
        async with sampling(driver.environment, silence=1.0) as sampler:
            await sampled(sampler, lambda sample: sample.devices)
            healthy = dict(driver.lines)
            for _ in range(size(8, 40)):
                fault = random.choice(FAULTS)
                driver.change(fault)
                await moved(sampler)
                assert_consistent(sampler)
                driver.change({name: healthy.get(name) for name in fault})
            await sampled(sampler, lambda sample: [one.utilization for one in sample.devices] == [0.5, 0.5])

    asyncio.run(run())


async def moved(sampler: GpuSampler) -> None:
    """Wait until the process was started again, or has sent some samples."""
    restarts, at = sum(sampler.restarts.values()), sampler.latest.at
    await eventually(lambda: sum(sampler.restarts.values()) > restarts or sampler.latest.at > at + 0.2, timeout=30)


def assert_consistent(sampler: GpuSampler) -> None:
    """Check that sums are finite and no series is doubled."""
    names = [
        (one.name, *sorted(one.labels.items()))
        for family in collect(sampler.latest, sampler.use, sampler.restarts)
        for one in family.samples
    ]
    assert len(names) == len(set(names))
    for total in sampler.use.devices.values():
        assert 0 <= total.busy_seconds <= total.measured_seconds
        assert 0 <= total.energy_joules < 1e9
