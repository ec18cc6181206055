"""`pilotfish report --evidently`: recent rows from a running sidecar, or a file, to the process that compares them."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pilotfish.sidecar.errors import PilotfishError, shown
from pilotfish.sidecar.reporting.comparison import Compared, Wanted

MODULE = (sys.executable, "-P", "-m", "pilotfish.sidecar.reporting.comparison")
MEMORY = 2 * 1024**3
SECONDS = 300
LARGEST = 1024**3  # bytes of rows that are fetched
_PORTION = 1024 * 1024
_TIMEOUT = 30.0


class EvidentlyError(PilotfishError):
    """The report cannot be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks for: recent rows from the file `rows`, or from the sidecar at `admin` (HOST:PORT)."""

    out: Path
    reference: Path
    rows: Path | None = None
    admin: str = ""
    token_file: Path | None = None
    mask: tuple[str, ...] = ()
    memory: int = MEMORY
    seconds: int = SECONDS


def write(request: Request) -> Compared:
    """Write Evidently's report of reference against recent rows to `request.out`; raise EvidentlyError."""
    if request.rows is not None:
        return _compared(request, request.rows)
    with tempfile.TemporaryDirectory(prefix="pilotfish-rows-") as folder:  # mode 0700
        rows = Path(folder) / "rows.jsonl"
        fetch(request.admin, request.token_file, rows)
        return _compared(request, rows)


def fetch(admin: str, token_file: Path | None, out: Path) -> None:
    """Write what GET /rows answers to `out`; EvidentlyError with the sidecar's own words when it gives none."""
    try:
        token = token_file.read_text().strip() if token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise EvidentlyError(f"cannot read the token file {shown(str(token_file))}: {error}") from error
    connection = http.client.HTTPConnection(admin, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/rows", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        if answer.status != 200:
            said = answer.read(1000).decode("utf-8", "replace")
            raise EvidentlyError(f"{admin} gives no rows (status {answer.status}): {said.strip()}")
        _save(answer, out)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EvidentlyError(f"cannot fetch rows from {shown(admin)}: {error}; is that the --admin address?") from error
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


def _compared(request: Request, rows: Path) -> Compared:
    wanted = Wanted(
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
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=request.seconds, check=False, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        compared = msgspec.json.decode(done.stdout.strip().rpartition(b"\n")[2], type=Compared)
    except subprocess.TimeoutExpired as error:
        raise EvidentlyError(f"Evidently took more than {request.seconds} s; give fewer rows, or more time") from error
    except msgspec.MsgspecError as error:
        took = time.monotonic() - began
        raise EvidentlyError(
            f"Evidently's process ended with status {done.returncode} after {took:.0f} s; with --memory "
            f"{request.memory >> 20}Mi it may have been too little"
        ) from error
    if compared.problem:
        raise EvidentlyError(compared.problem)
    return compared
