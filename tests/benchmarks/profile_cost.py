"""Time and memory of `pilotfish profile build` on a large file: `python -m tests.benchmarks.profile_cost`.

    python -m tests.benchmarks.profile_cost [--rows 2000000] [--columns 30] [--forms csv,parquet] [--keep FOLDER]

Half of the columns are related real numbers, a quarter whole numbers and a quarter texts of 12 categories. A process of
its own builds each form; the figures are those of the kernel for that process (CPU time, highest resident memory).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

BLOCK = 100_000  # rows that are written at once
FORMS = ("csv", "parquet")


def tables(rows: int, columns: int) -> Iterator[pa.Table]:
    """Yield the rows in blocks."""
    random = np.random.default_rng(7)
    words = np.array([f"category {index}" for index in range(12)])
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        found: dict[str, pa.Array] = {}
        common = random.normal(0, 20, size)
        for place in range(columns):
            if place % 4 in (0, 1):
                found[f"real{place}"] = pa.array((random.normal(100, 20, size) + common).round(4))
            elif place % 4 == 2:
                found[f"whole{place}"] = pa.array(random.poisson(20, size))
            else:
                found[f"text{place}"] = pa.array(words[random.integers(0, len(words), size)])
        yield pa.table(found)


def write(path: Path, rows: int, columns: int) -> None:
    """Write the file of this form; the form is the suffix of `path`."""
    blocks = tables(rows, columns)
    first = next(blocks)
    kind = pa.csv.CSVWriter if path.suffix == ".csv" else pa.parquet.ParquetWriter
    with kind(str(path), first.schema) as writer:
        for block in (first, *blocks):
            writer.write_table(block)


def measure(path: Path, out: Path) -> tuple[float, float, float]:
    """Return the elapsed seconds, the CPU seconds and the highest resident MiB of one build."""
    program = [sys.executable, "-m", "pilotfish.sidecar.cli", "profile", "build", str(path), "--out", str(out)]
    start = time.monotonic()
    child = subprocess.Popen(program, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{path.name}: the build ended with status {child.returncode}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--keep", type=Path, help="folder for the files; files that are there are used again")
    arguments = parser.parse_args()
    print("| file | size, MB | elapsed, s | CPU, s | resident memory, MiB |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for form in arguments.forms.split(","):
            path = (arguments.keep or Path(folder)) / f"rows-{arguments.rows}-{arguments.columns}.{form}"
            if not path.exists():
                write(path, arguments.rows, arguments.columns)
            elapsed, processor, memory = measure(path, Path(folder) / "profile.json")
            size = path.stat().st_size / 1e6
            print(f"| {form} | {size:,.0f} | {elapsed:.0f} | {processor:.0f} | {memory:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
