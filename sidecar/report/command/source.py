"""Where a report comes from: the admin address of a running sidecar, or a file in which `--json` saved one."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import TypeVar

import msgspec

from ...errors import UsageError, quote_value
from ...system.addresses import parse_address
from ...system.tokens import read_token
from ..response import ReportResponse
from ..timeline.schema import Timeline

LARGEST = 64 * 1024 * 1024
SECONDS = 30.0
T = TypeVar("T")


class SourceError(UsageError):
    """There is no report to be had."""


class SavedReport(msgspec.Struct, frozen=True):
    """What `--json` prints, and `--file` reads: the answers of /report and /windows."""

    report: ReportResponse
    windows: Timeline | None = None

    @property
    def line(self) -> Timeline:
        """The time line; an empty one where only the report was saved."""
        return self.windows or Timeline(tick_seconds=self.report.ticks.tick_seconds)


def fetch_report(admin: str, token_file: Path | None) -> tuple[bytes, bytes]:
    """Return the bodies of /report and /windows of the sidecar at `admin` (HOST:PORT); raise SourceError."""
    headers = {"Accept": "application/json"}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {read_header_token(token_file)}"
    return _get(admin, "/report", headers), _get(admin, "/windows", headers)


def parse_report(report: bytes, windows: bytes, where: str) -> SavedReport:
    """Return both bodies read; raise SourceError naming what does not fit."""
    return SavedReport(
        _decoded(report, ReportResponse, f"{where}/report"), _decoded(windows, Timeline, f"{where}/windows")
    )


def load_report(path: Path) -> SavedReport:
    """Return what a file holds: what `--json` printed, or the body of /report alone; raise SourceError."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if len(raw) > LARGEST:
        raise SourceError(f"{path}: is larger than {LARGEST >> 20} MiB; is this a report?")
    keys = _decoded(raw, dict[str, msgspec.Raw], str(path))
    if "report" in keys and "state" not in keys:
        return _decoded(raw, SavedReport, str(path))
    return SavedReport(_decoded(raw, ReportResponse, str(path)))


def _get(admin: str, path: str, headers: dict[str, str]) -> bytes:
    host, port = parse_address(admin, what="--admin").pair
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        raw = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{admin}{path}: no answer ({error}); is the sidecar running with this --admin?") from error
    finally:
        connection.close()
    if answer.status == 401:
        raise SourceError(f"{admin}{path}: asks for a token; give --token-file")
    if answer.status != 200 or len(raw) > LARGEST:
        raise SourceError(
            f"{admin}{path}: answered {answer.status} with {len(raw)} bytes; is this a sidecar's --admin?"
        )
    return raw


def read_header_token(path: Path) -> str:
    """Return the token in the file at `path`, as a header may hold it; raise UsageError."""
    text = read_token(path).decode("latin-1")
    if not text.isprintable():
        raise SourceError(
            f"the token file {quote_value(path)} holds a token that no header can carry; write another one"
        )
    return text


def _decoded(raw: bytes, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{where}: is no report of this version ({error})") from error
