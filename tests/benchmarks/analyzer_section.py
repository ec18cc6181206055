"""What the analyzer costs, as a section of docs/benchmarks.md: several runs, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.proxy_table import spread

ROOT = Path(__file__).parents[2]
FEATURES = (20, 100)
BINNING = (
    "from tests.benchmarks.detection.speed import throughput as speed; "
    "print(speed([0], kind='numeric', whole=False, batches=200)[0] / 1e6)"
)
COST = re.compile(r"([\d.]+) us CPU a request.* resident (\d+) MB")
TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """One run of the pipeline: CPU in microseconds a request, resident MB at its end."""

    cpu: float
    resident: float


def section(*, quick: bool) -> str:
    """Measure and return the table."""
    rounds, requests = (2, 4000) if quick else (5, 60_000)
    lines = ["| | CPU µs/request | resident MB |", "| --- | --- | --- |"]
    for features in FEATURES:
        print(f"analyzer, {features} features: {rounds} runs", file=sys.stderr, flush=True)
        costs = [pipeline(features, requests * FEATURES[0] // features) for _ in range(rounds)]
        cpu, resident = [cost.cpu for cost in costs], [cost.resident for cost in costs]
        lines.append(f"| {features} features, one row a request | {spread(cpu)} | {spread(resident, 0)} |")
    speed = spread([float(run("-c", BINNING)) for _ in range(rounds)])
    binned = f"Binning numeric values, batches of 1000 rows: {speed} million values/s of one core."
    return "\n".join((f"{rounds} runs.", "", *lines, "", binned, ""))


def pipeline(features: int, requests: int) -> Cost:
    """Run the analyzer's pipeline once over `requests` recorded requests."""
    output = run("-m", "tests.benchmarks.analyzer_cost", "--features", str(features), "--requests", str(requests))
    found = COST.search(output)
    if found is None:
        raise RuntimeError(f"analyzer_cost printed {output[-200:]!r}: no figures are found in it")
    return Cost(float(found[1]), float(found[2]))


def run(*arguments: str) -> str:
    """Return what Python prints when it runs with `arguments`."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT, cwd=ROOT).stdout
