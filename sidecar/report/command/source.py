"""The sources of a report: the admin address of a running sidecar, or a file that `--json` saved."""

from __future__ import annotations

from http.client import UNAUTHORIZED
from pathlib import Path
from typing import TypeVar

import msgspec

from ...errors import UsageError
from ...system.addresses import parse_server_address
from ...system.files import read_file
from ...system.httpget import HttpGetError, HttpStatusError, get
from ...system.tokens import read_header_token
from ..response import ReportResponse
from ..timeline.schema import Timeline

MAX_BYTES = 64 * 1024 * 1024  # of one response or file
TIMEOUT = 30.0  # seconds, for one request with its response
T = TypeVar("T")


class SourceError(UsageError):
    """The report cannot be fetched or read."""


class SavedReport(msgspec.Struct, frozen=True):
    """The format of `--json` and `--file`: the responses of /report and /windows."""

    report: ReportResponse
    windows: Timeline | None = None

    @property
    def timeline(self) -> Timeline:
        """The timeline; it is empty if only the report was saved."""
        return self.windows or Timeline(tick_seconds=self.report.ticks.tick_seconds)


def fetch_report(admin: str, token_file: Path | None) -> tuple[bytes, bytes]:
    """Return the bodies of /report and /windows of the sidecar at `admin` (HOST:PORT); raise SourceError."""
    headers = {"Accept": "application/json"}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {read_header_token(token_file)}"
    return _get(admin, "/report", headers), _get(admin, "/windows", headers)


def parse_report(report: bytes, windows: bytes, where: str) -> SavedReport:
    """Parse both bodies; raise SourceError that names the one that does not match the schema."""
    return SavedReport(
        _decoded(report, ReportResponse, f"{where}/report"), _decoded(windows, Timeline, f"{where}/windows")
    )


def load_report(path: Path) -> SavedReport:
    """Load a file that holds the output of `--json` or the body of /report; raise SourceError."""
    try:
        raw = read_file(path, MAX_BYTES, follow=True)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    keys = _decoded(raw, dict[str, msgspec.Raw], str(path))
    if "report" in keys and "state" not in keys:
        return _decoded(raw, SavedReport, str(path))
    return SavedReport(_decoded(raw, ReportResponse, str(path)))


def _get(admin: str, path: str, headers: dict[str, str]) -> bytes:
    address = parse_server_address(admin, what="--admin")
    try:
        return get(address, path, headers, most=MAX_BYTES, seconds=TIMEOUT)
    except HttpStatusError as error:
        if error.status == UNAUTHORIZED:
            raise SourceError(f"{admin}{path}: the sidecar requires a token; give --token-file") from error
        raise SourceError(f"{admin}{path}: {error}; give the --admin address of a sidecar") from error
    except HttpGetError as error:
        raise SourceError(f"{admin}{path}: {error}; check that the sidecar runs at --admin") from error


def _decoded(raw: bytes, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{where}: is not a report of this version ({error}); check the source") from error
