"""Run the benchmarks, print their tables, and with `--write` put them into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import analyzer_section, attacks_section, gpu_section, proxy_section, resources_section
from tests.support.programs import missing

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTIONS = {
    "analyzer": analyzer_section.section,
    "attacks": attacks_section.section,
    "gpu": gpu_section.section,
    "proxy": proxy_section.section,
    "resources": resources_section.section,
}


def machine() -> str:
    """Return the processor, the cores and the kernel that this runs on, and the day."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores, day = os.cpu_count(), datetime.now(UTC).strftime("%Y-%m-%d")
    return f"{next(iter(models), platform.machine())}, {cores} cores, Linux {platform.release()}, {day}"


def write(name: str, text: str) -> None:
    """Replace what stands between the markers of the section `name` in the document."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = DOCUMENT.read_text().partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n{text}{end}{after}")


def main() -> int:
    """Run as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("section", nargs="*", help=f"of {', '.join(SECTIONS)}; all when none is given")
    parser.add_argument("--quick", action="store_true", help="short runs: whether it works, not how fast")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    names = arguments.section or list(SECTIONS)
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if {"attacks", "proxy"} & set(names) and (absent := missing(*proxy_section.PROGRAMS)):
        parser.error(f"{', '.join(absent)} not found: install Debian's packages nginx-light, haproxy and wrk")
    for name in names:
        text = f"{machine()}; {SECTIONS[name](quick=arguments.quick)}"
        print(text, flush=True)
        if arguments.write:
            write(name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
