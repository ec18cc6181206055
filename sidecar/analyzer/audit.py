"""The audit log: decisions about profiles and episodes, one JSON object per line, in an append-only file.

`by` and `reason` are given by the requester and are not verified: the bearer token grants access but does not identify
a person. At MAX_FILE_BYTES, about 20,000 decisions, the file is renamed to `audit.jsonl.1` and replaces the previous
one.
"""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from ..errors import quote_value
from ..report.schema import AuditEntry
from ..system.framing import PlainLines
from ..system.logfile import LogFile

AUDIT_FILE = "audit.jsonl"
NEWEST = 20
MAX_FILE_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 64 * 1024  # read from the end at the start; room for the NEWEST decisions


class AuditLog:
    """The log file in `folder`. `newest` are its last entries; `problem` is why the last append failed, or empty."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / AUDIT_FILE
        self._file = LogFile(self._path, PlainLines(), keep_tail=True)
        self._lock = threading.Lock()
        self.problem = ""
        self.newest: tuple[AuditEntry, ...] = self._load()

    def append(self, decision: AuditEntry) -> None:
        """Append one decision durably; on failure set `problem`."""
        line = msgspec.json.encode(decision)
        with self._lock:
            self.newest = (*self.newest, decision)[-NEWEST:]
            try:
                self._write(line)
                self.problem = ""
            except OSError as error:
                self.problem = f"cannot append a decision to the audit log {quote_value(self._path)}: {error.strerror}"

    def _write(self, line: bytes) -> None:
        with self._file as file:  # opened for each entry, because a person may have moved the file
            file.open()
            if file.size >= MAX_FILE_BYTES:
                file.rotate(self._path.with_name(f"{AUDIT_FILE}.1"))
            file.append(line)

    def _load(self) -> tuple[AuditEntry, ...]:
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - _TAIL_BYTES))
                lines = file.read(_TAIL_BYTES).split(b"\n")
        except OSError:
            return ()
        found = []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=AuditEntry))
            except (msgspec.MsgspecError, UnicodeDecodeError):  # torn by a crash, or cut where reading began
                continue
        return tuple(found[-NEWEST:])
