"""On a machine with an NVIDIA GPU: the samples agree with what nvidia-ml-py returns here."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from pilotfish.sidecar.resources.gpu.sampler import GpuSampler
from tests.support.waiting import eventually

WITHIN = 0.05
DRIVER = Path("/proc/driver/nvidia/version")


@pytest.mark.real
def test_energy_is_that_of_the_counter_of_the_card() -> None:
    if not DRIVER.exists():
        pytest.skip("no NVIDIA GPU: the kernel module of its driver is not loaded")
    import pynvml  # type: ignore[import-untyped]

    pynvml.nvmlInit()

    async def run() -> None:
        sampler = GpuSampler()
        task = asyncio.create_task(sampler.run())
        await eventually(lambda: sampler.latest.devices, timeout=60)
        uuid = sampler.latest.devices[0].uuid
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        before, used = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle), sampler.use.devices[uuid]
        await eventually(lambda: sampler.use.devices[uuid].measured_seconds >= used.measured_seconds + 20, timeout=60)
        joules = (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - before) / 1000
        assert sampler.use.devices[uuid].energy_joules - used.energy_joules == pytest.approx(joules, rel=WITHIN)
        assert sampler.latest.devices[0].memory_total
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
