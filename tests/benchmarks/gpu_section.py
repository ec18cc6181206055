"""What sampling the GPUs costs, as a section of docs/benchmarks.md: CPU time and memory, with a scripted driver.

The scripted driver answers at once, so the figures are those of Pilotfish and nvidia-ml-py. A real driver adds its own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pilotfish.sidecar.resources.gpu.sampler import GpuSampler, SamplerOptions
from tests.support.nvml.driver import COMPILER, ScriptedDriver, build, instance
from tests.support.waiting import eventually

SECONDS, QUICK_SECONDS = 30, 3
INSTANCES = 7
MIB = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of both processes for one second of sampling, and the private memory of the sampling process."""

    child: float
    parent: float
    start: float
    mebibytes: float


def section(*, quick: bool) -> str:
    """Return the section: a line with the settings, and the table."""
    if COMPILER is None:
        return "not measured: no C compiler (cc).\n"
    seconds = QUICK_SECONDS if quick else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        rows = []
        for name, devices, mig in (
            ("1 GPU", 1, False),
            ("8 GPUs", 8, False),
            (f"8 GPUs of {INSTANCES} MIG instances", 8, True),
        ):
            driver = ScriptedDriver(library, Path(folder) / "script")
            driver.devices(devices)
            if mig:
                driver.change(_partitioned(devices))
            cost = asyncio.run(_measure(driver, seconds))
            total = cost.child + cost.parent
            rows.append(
                f"| {name} | {1000 * cost.child:.2f} | {1000 * cost.parent:.2f} | {100 * total:.2f} % "
                f"| {1000 * cost.start:.0f} | {cost.mebibytes:.1f} |"
            )
    head = "| GPUs | sampling process, ms/s | analyzer, ms/s | of a core | start, ms | memory, MiB |"
    settings = f"one sample a second for {seconds} s, two processes on each GPU or instance."
    return "\n".join([settings, "", head, "| --- | --- | --- | --- | --- | --- |", *rows, ""])


def _partitioned(devices: int) -> dict[str, object]:
    lines: dict[str, object] = {}
    for index in range(devices):
        lines |= {f"mig.{index}": 1, f"instances.{index}": INSTANCES}
        for number in range(INSTANCES):
            identity = 7 + number
            lines |= instance(index, number)
            lines |= {f"gpm_running.{index}.{identity}": 50, f"gpm_busy.{index}.{identity}": 20}
            lines |= {f"instance.{index}.{number}.processes": "41:1024 42:2048"}
    return lines


async def _measure(driver: ScriptedDriver, seconds: int) -> Cost:
    sampler = GpuSampler(SamplerOptions(environment=driver.environment))
    before = set(_children())
    task = asyncio.create_task(sampler.run())
    await eventually(lambda: sampler.latest.devices, timeout=60)
    (child,) = set(_children()) - before
    start = _cpu_seconds(child)
    began, own = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    cost = Cost(
        (_cpu_seconds(child) - start) / passed,
        (time.process_time() - own) / passed,
        start,
        _private_kibibytes(child) / MIB,
    )
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return cost


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _private_kibibytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
