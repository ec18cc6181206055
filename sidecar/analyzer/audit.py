"""The audit: who decided what of profiles and episodes, one JSON object a line, in a file that only grows.

`by` and `reason` are what whoever asked said of themselves: the token tells who may, not who did. At 8 MiB, some twenty
thousand decisions, the file becomes `audit.jsonl.1`, in place of the one before.
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
_TAIL_BYTES = 64 * 1024  # bytes of its end that hold the newest


class AuditLog:
    """The file in `folder`, and the newest of it; `problem` says why the last one is not in the file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / AUDIT_FILE
        self._file = LogFile(self._path, PlainLines(), keep_tail=True)
        self._lock = threading.Lock()
        self.problem = ""
        self.newest: tuple[AuditEntry, ...] = self._load()

    def append(self, decision: AuditEntry) -> None:
        """Write one decision, durably."""
        line = msgspec.json.encode(decision)
        with self._lock:
            self.newest = (*self.newest, decision)[-NEWEST:]
            try:
                self._write(line)
                self.problem = ""
            except OSError as error:
                self.problem = f"a decision is not in the audit, {quote_value(self._path)}: {error.strerror}"

    def _write(self, line: bytes) -> None:
        with self._file as file:  # opened anew each time: somebody may have moved it away
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
            except (msgspec.MsgspecError, UnicodeDecodeError):  # torn, or cut by where the reading began
                continue
        return tuple(found[-NEWEST:])
