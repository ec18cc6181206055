"""`pilotfish report --evidently`: recent rows from a running sidecar, or a file, to the process that compares them."""

from __future__ import annotations

import argparse
import http.client
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...errors import PilotfishError, UsageError, escape_unprintable, quote_value
from ...settings.units import read_duration, read_size
from ...system.addresses import parse_address
from ...system.children import ChildOutputError, ChildTimeoutError, run_bounded
from .comparison import ComparisonJob, ComparisonResult
from .source import SECONDS, read_header_token

MODULE = (sys.executable, "-P", "-m", "pilotfish.sidecar.report.command.comparison")
MEMORY, LONGEST = "2Gi", "300s"
LARGEST = 1024**3  # bytes of rows that are fetched
LARGEST_ANSWER = 16 * 1024**2  # bytes that Evidently's process may say; it is one line
_PORTION = 1024 * 1024


class EvidentlyError(PilotfishError):
    """The report cannot be made."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that belong to --evidently."""
    add = parser.add_argument_group("with --evidently").add_argument
    add("--reference", type=Path, metavar="FILE", help="reference rows: .csv, .csv.gz, .parquet, or JSON lines")
    add("--rows", type=Path, metavar="FILE", help="recent rows, instead of those that the sidecar at --admin keeps")
    add("--mask", action="append", default=[], metavar="COL", help="leave a column out; may be repeated")
    add(
        "--memory",
        default=MEMORY,
        metavar="SIZE",
        help="memory limit of Evidently (default %(default)s); 0 sets no limit",
    )
    add("--timeout", default=LONGEST, metavar="DURATION", help="time limit of Evidently (default %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Write the report and say what is in it; return the exit status."""
    memory, seconds = read_size(args.memory), read_duration(args.timeout)
    if args.reference is None:
        raise UsageError("--evidently compares with reference rows: give --reference FILE")
    if memory is None or not seconds:
        raise UsageError(
            f"--memory {quote_value(args.memory)} --timeout {quote_value(args.timeout)}: give such as 2Gi and 300s"
        )
    compared = write(
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
    print(
        f"{args.evidently}: {size:,} bytes; {compared.columns} columns, {compared.reference_rows:,} reference rows, "
        f"{compared.rows:,} recent rows",
        file=sys.stderr,
    )
    for name, reason in compared.left_out.items():
        print(escape_unprintable(f"  left out  {name}: {reason}"), file=sys.stderr)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidentlyOptions:
    """What a person asks for: recent rows from the file `rows`, or from the sidecar at `admin` (HOST:PORT)."""

    out: Path
    reference: Path
    rows: Path | None = None
    admin: str = ""
    token_file: Path | None = None
    mask: tuple[str, ...] = ()
    memory: int
    seconds: int


def write(request: EvidentlyOptions) -> ComparisonResult:
    """Write Evidently's report of reference against recent rows to `request.out`; raise EvidentlyError."""
    if request.rows is not None:
        return _compared(request, request.rows)
    with tempfile.TemporaryDirectory(prefix="pilotfish-rows-") as folder:  # mode 0700
        rows = Path(folder) / "rows.jsonl"
        fetch(request.admin, request.token_file, rows)
        return _compared(request, rows)


def fetch(admin: str, token_file: Path | None, out: Path) -> None:
    """Write what GET /rows answers to `out`; EvidentlyError with the sidecar's own words when it gives none."""
    host, port = parse_address(admin, what="--admin").pair
    headers = {"Authorization": f"Bearer {read_header_token(token_file)}"} if token_file else {}
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/rows", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            said = answer.read(1000).decode("utf-8", "replace")
            raise EvidentlyError(f"{admin} gives no rows (status {answer.status}): {said.strip()}")
        _save(answer, out)
    except (OSError, http.client.HTTPException) as error:
        raise EvidentlyError(
            f"cannot fetch rows from {quote_value(admin)}: {error}; is that the --admin address?"
        ) from error
    finally:
        connection.close()


def _save(answer: http.client.HTTPResponse, out: Path) -> None:
    left = LARGEST
    with out.open("wb") as file:
        while part := answer.read(_PORTION):
            left -= len(part)
            if left < 0:
                raise EvidentlyError(f"the sidecar gives more than {LARGEST >> 20} MiB of rows; keep fewer")
            file.write(part)
    if not out.stat().st_size:
        raise EvidentlyError("the sidecar has kept no rows yet; wait for some traffic")


def _compared(request: EvidentlyOptions, rows: Path) -> ComparisonResult:
    wanted = ComparisonJob(
        reference=str(request.reference),
        rows=str(rows),
        out=str(request.out),
        mask=request.mask,
        memory=request.memory,
        seconds=request.seconds,
    )
    command = [*MODULE, msgspec.json.encode(wanted).decode()]
    began = time.monotonic()
    try:
        done = run_bounded(
            command,
            seconds=request.seconds,
            most_output=LARGEST_ANSWER,
            environment={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        compared = msgspec.json.decode(done.output.strip().rpartition(b"\n")[2], type=ComparisonResult)
    except ChildOutputError as error:
        raise EvidentlyError(f"Evidently's process does not end as it should: {error}") from error
    except ChildTimeoutError as error:
        raise EvidentlyError(f"Evidently took more than {request.seconds} s; give fewer rows, or more time") from error
    except msgspec.MsgspecError as error:
        took = time.monotonic() - began
        raise EvidentlyError(
            f"Evidently's process ended with status {done.status} after {took:.0f} s; with --memory "
            f"{request.memory >> 20}Mi it may have been too little"
        ) from error
    if compared.problem:
        raise EvidentlyError(compared.problem)
    return compared
