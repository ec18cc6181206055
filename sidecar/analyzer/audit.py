"""The audit log: decisions about profiles and episodes, one JSON object per line, in an append-only file.

Each line ends with a checksum. A damaged line stays in the file, is reported at each start, and is not shown.

`by` and `reason` are given by the requester and are not verified: the bearer token grants access but does not identify
a person. At MAX_FILE_BYTES, about 20,000 decisions, the file is renamed to `audit.jsonl.1` and replaces the previous
one.
"""

from __future__ import annotations

import io
import threading
from pathlib import Path

import msgspec

from ..errors import quote_value
from ..report.schema import AuditEntry
from ..system.files import is_unusable, read_tail, set_aside
from ..system.framing import FramedRecord, JsonLines
from ..system.logfile import LogFile

AUDIT_FILE = "audit.jsonl"
NEWEST = 20
MAX_FILE_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 64 * 1024  # read from the end at the start; room for the NEWEST decisions


class AuditLog:
    """The log file in `folder`. `newest` are its last entries.

    `damage` says which entries were lost when the file was read, and `problem` why the last append failed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / AUDIT_FILE
        self._file = LogFile(self._path, JsonLines(), keep_tail=True)
        self._lock = threading.Lock()
        self.damage = self.problem = ""
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
            raw = read_tail(self._path, _TAIL_BYTES, largest=2 * MAX_FILE_BYTES)
        except FileNotFoundError:
            return ()
        except OSError as error:
            aside = f"; {set_aside(self._path)}" if is_unusable(error) else ""
            self.damage = f"the audit log {quote_value(self._path)} cannot be read: {error.strerror}{aside}"
            return ()
        if len(raw) == _TAIL_BYTES:  # reading began within a line
            raw = raw.partition(b"\n")[2]
        lines = [
            _entry(line.payload) if isinstance(line, FramedRecord) else None
            for line in JsonLines().scan(io.BytesIO(raw), 0)
        ]
        if damaged := lines.count(None):
            self.damage = f"{damaged} of the last lines of the audit log {quote_value(self._path)} are damaged"
        return tuple(entry for entry in lines if entry is not None)[-NEWEST:]


def _entry(line: bytes) -> AuditEntry | None:
    try:
        return msgspec.json.decode(line, type=AuditEntry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
