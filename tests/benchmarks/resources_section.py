"""What the sampling of resources costs, as a section of docs/benchmarks.md: CPU time and memory of the sampler."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from pilotfish.sidecar.channel import PAGE_FILE
from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.resources.accounts import CostRules
from pilotfish.sidecar.resources.collector import collect
from pilotfish.sidecar.resources.source import SourceOptions
from pilotfish.sidecar.resources.watch import SEARCH_NS, ResourceWatch
from pilotfish.sidecar.settings.document import Model, Prices

SECOND = 10**9
ROUTES = at.OTHER - at.FIRST_ROUTE
SERVER = """
import sys, threading
for _ in range(32):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.stdin.read()
"""


def section(*, quick: bool) -> str:
    """Measure a sampler of a model server with 33 threads and a page whose routes are all busy; return the table."""
    rounds = 60 if quick else 600
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        page = CounterPage.open(folder / PAGE_FILE, now_ns=1)
        stack.callback(page.close)
        slots = list(page.route_slots())
        for number, base in enumerate(slots):
            page.replace_route(base, f"POST /v2/models/model-{number}/infer")
        pids = []
        for program in (SERVER, "input()"):
            child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
            stack.callback(child.communicate, b"\n")
            pids.append(child.pid)
        times, allocated = _run(folder, page, slots, pids, rounds)
    usual = median(times)
    searches = [seconds for seconds in times if seconds > 3 * usual] or [usual]
    mean = sum(times) / len(times)
    rows = (
        ("CPU of a sample, median", f"{usual * 1e3:.2f} ms"),
        ("CPU of a sample with a search for processes (about every 10 s), median", f"{median(searches) * 1e3:.2f} ms"),
        ("share of a core at one sample a second, mean", f"{mean:.2%}".replace("%", " %")),
        ("memory that the sampler keeps", f"{allocated / 2**20:.2f} MiB"),
    )
    table = "\n".join(f"| {what} | {value} |" for what, value in rows)
    count = len([entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()])
    words = f"{rounds} samples, {ROUTES} routes in use, {count} processes on the machine, without a GPU"
    return f"{words}.\n\n|  |  |\n| --- | --- |\n{table}\n"


def _run(
    folder: Path, page: CounterPage, slots: Sequence[int], pids: Sequence[int], rounds: int
) -> tuple[list[float], int]:
    """Return the CPU seconds of each sample, and the bytes that are allocated at the end."""
    now = time.monotonic_ns()
    tracemalloc.start()
    options = SourceOptions(pid=pids[0], root=pids[1])
    rules = CostRules(model=Model(name="m"), prices=Prices(cpu_hour=0.04))
    watch = ResourceWatch(options, folder, folder, lambda: rules, clock=lambda: now)
    for _ in range(30):
        watch.sample()
    list(collect(watch.view, None))
    allocated = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    times = []
    now += SEARCH_NS
    for _ in range(rounds):
        for base in slots:
            page.words[at.AT_LOCK] += 1
            page.change_in_flight(base, 1, time.monotonic_ns())
            page.change_in_flight(base, -1, time.monotonic_ns())
            page.words[base + at.SLOT_CODES + at.CODES.index("2xx")] += 1
            page.words[at.AT_LOCK] += 1
        usage = _cpu()
        watch.sample()
        times.append(_cpu() - usage)
        now += SECOND
    return times, allocated


def _cpu() -> float:
    found = resource.getrusage(resource.RUSAGE_SELF)
    return found.ru_utime + found.ru_stime
