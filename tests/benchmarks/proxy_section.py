"""The data plane beside other reverse proxies, as a section of docs/benchmarks.md."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.proxy_contenders import CONTENDERS, start_upstream, versions
from tests.benchmarks.proxy_load import wrk_script
from tests.benchmarks.proxy_measure import Plan, measure
from tests.benchmarks.proxy_table import render

FULL, QUICK = Plan(rounds=7, seconds=4, rate=1000), Plan(rounds=2, seconds=1, rate=1000)
PROGRAMS = ("haproxy", "nginx", "wrk")


def section(*, quick: bool) -> str:
    """Measure and return the table with what it was measured with."""
    plan = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        upstream = start_upstream(stack, folder)
        running = [(contender, contender.start(stack, folder, upstream)) for contender in CONTENDERS]
        samples = measure(running, plan, wrk_script(folder), lambda line: print(line, file=sys.stderr, flush=True))
    each = f"{plan.seconds} s of wrk and {plan.seconds} s at {plan.rate} requests/s"
    return f"{', '.join(versions())}; {plan.rounds} rounds, contenders in turn, each {each}.\n\n{render(samples)}\n"
