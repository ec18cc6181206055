"""Metrics of the process that answers the scrape: version, readiness, CPU, memory. The source is Linux /proc."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from prometheus_client.metrics_core import Metric as Family

from . import names
from .scrape import ScrapeInput

PAGE = resource.getpagesize()


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of this process."""
    return own_process(ready=reading.ready, memory_limit=reading.memory_limit)


def own_process(*, ready: bool | None = None, memory_limit: int = 0) -> Iterator[Family]:
    """Yield the families of this process. `ready` is None if it measures no traffic; 0 means no memory limit."""
    info = names.INFO.gauge()
    info.add_metric((_version(),), 1)
    yield info
    cpu = names.CPU.counter()
    cpu.add_metric((), time.process_time())
    yield cpu
    total, resident, data = memory_usage()
    values = {
        names.MAX_FDS: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        names.MEMORY_DATA: data,
        names.OPEN_FDS: len(os.listdir("/proc/self/fd")),
        names.RESIDENT: resident,
        names.START: _started(),
        names.VIRTUAL: total,
    }
    if ready is not None:
        values[names.READY] = float(ready)
    if memory_limit:
        values[names.MEMORY_LIMIT] = memory_limit
    for metric, value in values.items():
        family = metric.gauge()
        family.add_metric((), value)
        yield family


def memory_usage() -> tuple[int, int, int]:
    """Return virtual, resident and data memory in bytes. RLIMIT_DATA bounds the data, which here includes the stack."""
    fields = os.pread(_statm(), 256, 0).split()
    return int(fields[0]) * PAGE, int(fields[1]) * PAGE, int(fields[5]) * PAGE


@cache
def _statm() -> int:
    """Return a descriptor that stays open: the analyzer reads its memory each second, also if no descriptor is free."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


@cache
def _version() -> str:
    return version("pilotfish")


@cache
def _started() -> float:
    """Return the start time of this process in epoch seconds, according to the kernel."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return float(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
