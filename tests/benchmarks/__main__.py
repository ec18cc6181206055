"""Run the benchmark, print its table, and with `--write` put it into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.proxy_contenders import CONTENDERS, start_upstream, versions
from tests.benchmarks.proxy_load import wrk_script
from tests.benchmarks.proxy_measure import Plan, measure
from tests.benchmarks.proxy_table import render

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- proxy:begin -->", "<!-- proxy:end -->"
FULL, QUICK = Plan(rounds=7, seconds=4, rate=1000), Plan(rounds=2, seconds=1, rate=1000)
PROGRAMS = ("haproxy", "nginx", "wrk")


def machine() -> str:
    """Return the processor, the cores and the kernel that this ran on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def section(plan: Plan) -> str:
    """Measure and return what belongs between the markers."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        upstream = start_upstream(stack, folder)
        running = [(contender, contender.start(stack, folder, upstream)) for contender in CONTENDERS]
        samples = measure(running, plan, wrk_script(folder), lambda line: print(line, file=sys.stderr, flush=True))
    each = f"{plan.seconds:g} s of wrk and {plan.seconds:g} s at {plan.rate} requests/s"
    load = f"{plan.rounds} rounds, contenders in turn; in each {each}"
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    return f"{machine()}; {', '.join(versions())}; {stamp}.\n{load}.\n\n{render(samples)}\n"


def write(text: str) -> None:
    """Replace what stands between the markers of the document."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def main() -> int:
    """Run as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short rounds: whether it works, not how fast")
    parser.add_argument(
        "--write", action="store_true", help=f"put the table into {DOCUMENT.parent.name}/{DOCUMENT.name}"
    )
    arguments = parser.parse_args()
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        print(
            f"the benchmark needs {', '.join(missing)}: install Debian's packages nginx-light, haproxy and wrk",
            file=sys.stderr,
        )
        return 1
    text = section(QUICK if arguments.quick else FULL)
    print(text)
    if arguments.write:
        write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
