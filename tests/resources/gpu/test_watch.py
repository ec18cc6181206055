"""When the sampling process is started again, which calls it leaves out, and what is logged."""

from __future__ import annotations

import logging

import pytest

from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sample import RECYCLE, GpuProblem
from pilotfish.sidecar.resources.gpu.watch import AVOID_SECONDS, HEALTHY_SECONDS, LONGEST_WAIT, SamplerWatch
from tests.resources.gpu.made import device, sample

MISSING = GpuProblem(reason=GpuReason.LIBRARY_MISSING, reading="devices", detail="nvmlInit returned 12")
POWER = "nvmlDeviceGetPowerUsage@1"


def hang(watch: SamplerWatch, call: str, now: float = 0.0) -> None:
    watch.on_hang(call, silence=10.0, ran=15.0, now=now)


def test_the_wait_doubles_up_to_a_minute_and_falls_back_after_a_healthy_run() -> None:
    watch = SamplerWatch()
    waits = [watch.on_end(MISSING, 0.1, 0).wait for _ in range(9)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert watch.on_end(None, HEALTHY_SECONDS, -9).wait == 1.0
    assert max(waits) == LONGEST_WAIT


def test_a_process_that_asks_for_another_one_is_no_failure() -> None:
    watch = SamplerWatch()
    plan = watch.on_end(None, HEALTHY_SECONDS, RECYCLE)
    assert (plan.wait, plan.log, plan.problem.reason) == (1.0, None, GpuReason.STARTING)
    assert watch.restarts == {}


def test_a_cause_is_logged_once_until_it_changes() -> None:
    watch = SamplerWatch()
    lines = [watch.on_end(MISSING, 0.1, 0).log for _ in range(3)]
    assert [line is None for line in lines] == [False, True, True]
    assert lines[0] is not None
    assert lines[0][0] == logging.INFO
    died = watch.on_end(None, 0.1, -6).log
    assert died is not None
    assert died[0] == logging.WARNING
    assert "exit status -6" in died[1]
    assert watch.on_devices(sample(device(name="H100"))) == (logging.INFO, "GPU samples: 1 GPU (H100), driver 580.65")
    assert watch.on_devices(sample(device(name="H100"))) is None
    assert watch.on_end(MISSING, 0.1, 0).log is not None


def test_a_call_that_hung_twice_is_left_out_for_a_while() -> None:
    watch = SamplerWatch()
    hang(watch, POWER)
    assert watch.avoided(1.0) == ()
    hang(watch, POWER)
    assert watch.avoided(1.0) == (POWER,)
    assert watch.avoided(AVOID_SECONDS) == ()


@pytest.mark.parametrize("status", [-11, -6, -7])
def test_a_call_that_crashed_twice_is_left_out_too(status: int) -> None:
    watch = SamplerWatch()
    for now in (0.0, 5.0):
        plan = watch.on_end(None, 5.0, status, POWER, now)
    assert watch.avoided(6.0) == (POWER,)
    assert plan.problem.detail == f"exit status {status} in {POWER}"


def test_a_process_that_was_killed_blames_no_call() -> None:
    watch = SamplerWatch()
    for now in (0.0, 5.0):
        watch.on_end(None, 5.0, -9, POWER, now)
    assert watch.avoided(6.0) == ()


def test_hangs_with_a_long_time_between_them_are_forgotten() -> None:
    watch = SamplerWatch()
    hang(watch, POWER, now=0.0)
    hang(watch, POWER, now=AVOID_SECONDS)
    assert watch.avoided(AVOID_SECONDS) == ()


def test_a_gpu_with_three_calls_that_hang_is_left_out() -> None:
    watch = SamplerWatch()
    for call in (POWER, "nvmlDeviceGetName@1", "nvmlDeviceGetTemperature@1", "nvmlDeviceGetName@0"):
        hang(watch, call)
        hang(watch, call)
    assert "*@1" in watch.avoided(1.0)
    assert "*@0" not in watch.avoided(1.0)


def test_the_start_of_the_library_is_never_left_out() -> None:
    watch = SamplerWatch()
    for _ in range(5):
        hang(watch, "nvmlInit")
        hang(watch, "nvmlDeviceGetCount")
        hang(watch, "")
    assert watch.avoided(1.0) == ()
    assert watch.restarts == {GpuReason.SAMPLER_HUNG: 15}


def test_the_version_of_the_driver_is_left_out_if_it_hangs() -> None:
    watch = SamplerWatch()
    for _ in range(2):
        hang(watch, "nvmlSystemGetDriverVersion")
    assert watch.avoided(1.0) == ("nvmlSystemGetDriverVersion",)
