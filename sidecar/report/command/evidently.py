"""`pilotfish report --evidently`: pass reference and recent rows to a child process that runs Evidently.

Recent rows come from a running sidecar or from a file. Keep Evidently out of this process: it needs seconds and some
300 MB, and it is foreign code (see comparison.py).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...errors import PilotfishError, UsageError, quote_value
from ...settings.units import read_duration, read_size
from ...system.addresses import parse_server_address
from ...system.children import ChildOutputError, ChildTimeoutError, run_bounded
from ...system.httpget import HttpGetError, stream
from ...system.tokens import read_header_token
from ...terminal import show_error
from .comparison import ComparisonJob, ComparisonResult

MODULE = (sys.executable, "-P", "-m", "pilotfish.sidecar.report.command.comparison")
DEFAULT_MEMORY, DEFAULT_TIMEOUT = "2Gi", "300s"
MAX_ROW_BYTES = 1024**3  # bytes of rows that are fetched
MAX_OUTPUT = 16 * 1024**2  # bytes on the standard output of the child process, which prints one line
FETCH_SECONDS = 600.0  # for all of them


class EvidentlyError(PilotfishError):
    """The report of Evidently cannot be written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options for --evidently."""
    add = parser.add_argument_group("with --evidently").add_argument
    add("--reference", type=Path, metavar="FILE", help="reference rows: .csv, .csv.gz, .parquet, or JSON lines")
    add("--rows", type=Path, metavar="FILE", help="recent rows; by default the rows that the sidecar at --admin stores")
    add("--mask", action="append", default=[], metavar="COL", help="exclude a column; may be repeated")
    add("--memory", default=DEFAULT_MEMORY, metavar="SIZE", help="memory limit of Evidently (%(default)s); 0: no limit")
    add("--timeout", default=DEFAULT_TIMEOUT, metavar="DURATION", help="time limit of Evidently (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Write the report, print a summary of it, and return the exit status."""
    memory, seconds = read_size(args.memory), read_duration(args.timeout)
    if args.reference is None:
        raise UsageError("--evidently needs reference rows to compare with; give --reference FILE")
    if memory is None or not seconds:
        raise UsageError(
            f"--memory {quote_value(args.memory)} --timeout {quote_value(args.timeout)}: give for example 2Gi, 300s"
        )
    result = write(
        EvidentlyOptions(
            out=args.evidently,
            reference=args.reference,
            rows=args.rows,
            admin=args.admin,
            token_file=args.token_file,
            mask=tuple(args.mask),
            memory=int(memory),
            seconds=math.ceil(seconds),
        )
    )
    size = args.evidently.stat().st_size
    show_error(
        f"{args.evidently}: {size:,} bytes; {result.columns} columns, {result.reference_rows:,} reference rows, "
        f"{result.rows:,} recent rows"
    )
    for name, reason in result.left_out.items():
        show_error(f"  excluded  {name}: {reason}")
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidentlyOptions:
    """The options of the command.

    Recent rows come from the file `rows`, or from the sidecar at `admin` (HOST:PORT). `memory` is in bytes.
    """

    out: Path
    reference: Path
    rows: Path | None = None
    admin: str = ""
    token_file: Path | None = None
    mask: tuple[str, ...] = ()
    memory: int
    seconds: int


def write(request: EvidentlyOptions) -> ComparisonResult:
    """Write Evidently's report on reference and recent rows to `request.out`; raise EvidentlyError."""
    if request.rows is not None:
        return _run_comparison(request, request.rows)
    with tempfile.TemporaryDirectory(prefix="pilotfish-rows-") as folder:  # mode 0700
        rows = Path(folder) / "rows.jsonl"
        fetch(request.admin, request.token_file, rows)
        return _run_comparison(request, rows)


def fetch(admin: str, token_file: Path | None, out: Path) -> None:
    """Write the response of GET /rows to `out`; raise EvidentlyError with the sidecar's message."""
    address = parse_server_address(admin, what="--admin")
    headers = {"Authorization": f"Bearer {read_header_token(token_file)}"} if token_file else {}
    try:
        with out.open("wb") as file:
            file.writelines(stream(address, "/rows", headers, most=MAX_ROW_BYTES, seconds=FETCH_SECONDS))
    except HttpGetError as error:
        raise EvidentlyError(f"{admin}/rows: {error}; check the --admin address, or store fewer rows") from error
    if not out.stat().st_size:
        raise EvidentlyError("the sidecar has not stored any rows yet; wait for traffic")


def _run_comparison(request: EvidentlyOptions, rows: Path) -> ComparisonResult:
    job = ComparisonJob(
        reference=str(request.reference),
        rows=str(rows),
        out=str(request.out),
        mask=request.mask,
        memory=request.memory,
        seconds=request.seconds,
    )
    command = [*MODULE, msgspec.json.encode(job).decode()]
    began = time.monotonic()
    try:
        done = run_bounded(
            command,
            seconds=request.seconds,
            most_output=MAX_OUTPUT,
            environment={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        result = msgspec.json.decode(done.output.strip().rpartition(b"\n")[2], type=ComparisonResult)
    except ChildOutputError as error:
        raise EvidentlyError(f"the child process of Evidently did not end normally: {error}") from error
    except ChildTimeoutError as error:
        raise EvidentlyError(f"Evidently took more than {request.seconds} s; give a longer --timeout") from error
    except msgspec.MsgspecError as error:
        took = time.monotonic() - began
        raise EvidentlyError(
            f"the child process of Evidently ended with status {done.status} after {took:.0f} s; "
            f"if it ran out of memory, give more than --memory {request.memory >> 20}Mi"
        ) from error
    if result.problem:
        raise EvidentlyError(result.problem)
    return result
