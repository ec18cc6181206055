"""Where the profile in force comes from: the document's file, or one that was put over HTTP and kept.

A profile that was put wins until the document's file changes; so a retrained model's profile survives a restart, and
whoever edits the file has the last word.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...detectors.errors import ProfileError
from ...detectors.profile.profile import Profile
from ..errors import quote_value
from ..system.gunzip import DecompressionError, OutputTooLargeError, gunzip, is_gzip
from .checkpoint import save
from .errors import ProfileRefusedError

STORED_FILE = "profile"
REFUSED_FILE = "profile.refused"
MAX_PROFILE_BYTES = 16 * 1024 * 1024
MAX_FILE = MAX_PROFILE_BYTES + 1024  # a kept one begins with a line of its own
MAX_UNPACKED_BYTES = 64 * 1024 * 1024


def parse_profile(raw: bytes, where: str) -> Profile:
    """Return the profile in `raw`, which may be gzipped; raise ProfileRefusedError that names `where`."""
    try:
        if len(raw) > MAX_PROFILE_BYTES:
            raise ProfileRefusedError(
                f"{where}: larger than {MAX_PROFILE_BYTES >> 20} MiB; build it with fewer features"
            )
        return Profile.from_bytes(_decompress(raw, where))
    except ProfileError as error:
        raise ProfileRefusedError(f"{where}: {error}") from error


@dataclass
class FileWatcher:
    """Tells when a file was replaced or written to, by what `stat` says; a missing file is a state like any other."""

    path: Path

    def __post_init__(self) -> None:
        self._seen = self._stat()

    def changed(self) -> bool:
        """Tell whether it changed since the last call."""
        now = self._stat()
        if now == self._seen:
            return False
        self._seen = now
        return True

    def _stat(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class ProfileStore:
    """The document's file and the kept one; `source` is None where the document names no file."""

    def __init__(self, source: Path | None, folder: Path) -> None:
        self.source = source
        self._stored = folder / STORED_FILE
        self._digest = ""
        self._not_in_force = True
        self._watcher = FileWatcher(source) if source else None

    def load_stored(self) -> Profile | None:
        """Return the profile that was put in place of the file as it is; raise ProfileRefusedError if it is damaged."""
        if self.source is not None:
            self._digest = _digest(_read(self.source)[0])
        where = f"kept profile {quote_value(self._stored)}"
        if not self._stored.exists():
            return None
        content, problem = _read(self._stored)
        if problem:
            raise ProfileRefusedError(f"{where}: {problem}")
        replaces, _, raw = content.partition(b"\n")
        if replaces.decode("ascii", "replace") != self._digest:
            return None
        profile = parse_profile(raw, where)
        self._not_in_force = False
        return profile

    def quarantine(self) -> str:
        """Rename the kept profile, which cannot be used, so that the next start does not meet it; say what was done."""
        self._not_in_force = True
        aside = self._stored.with_name(REFUSED_FILE)
        try:
            self._stored.replace(aside)
        except OSError as error:
            return f"it cannot be set aside: {error.strerror}"
        return f"it was set aside as {quote_value(aside)}"

    def load_changed(self) -> Profile | None:
        """Return the file's profile, None if it is the one in use already (or no file is named).

        Raises ProfileRefusedError. `accept` what is taken; until then it is offered again.
        """
        if self.source is None:
            return None
        raw, problem = _read(self.source)
        digest = _digest(raw)
        if not problem and digest == self._digest and not self._not_in_force:
            return None
        self._digest, self._not_in_force = digest, True
        return _parse(self.source, raw, problem)

    def confirm(self) -> None:
        """Note that what `newer` returned is in force: it replaces the kept one."""
        self._not_in_force = False
        with suppress(OSError):  # one that stays is of another file, so that nobody uses it
            self._stored.unlink(missing_ok=True)

    def changed(self) -> bool:
        """Tell whether the file was touched since the last call."""
        return self._watcher is not None and self._watcher.changed()

    def store(self, raw: bytes) -> None:
        """Write a profile that was put, as it came, to be there after a restart; CheckpointError on a full disk."""
        save(self._stored, self._digest.encode() + b"\n" + raw)
        self._not_in_force = False


def _read(path: Path) -> tuple[bytes, str]:
    """Return the file's bytes (a few more than the limit at most), or none and why it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE), ""
    except OSError as error:
        return b"", error.strerror or str(error)


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest() if raw else ""


def _parse(path: Path, raw: bytes, problem: str) -> Profile:
    where = f"profile {quote_value(path)}"
    if problem:
        raise ProfileRefusedError(f"{where}: {problem}; check spec.profiles[].path")
    return parse_profile(raw, where)


def _decompress(raw: bytes, where: str) -> bytes:
    if not is_gzip(raw):
        return raw
    try:
        return gunzip(raw, MAX_UNPACKED_BYTES)
    except OutputTooLargeError as error:
        raise ProfileRefusedError(f"{where}: {error}; build it with fewer features") from error
    except DecompressionError as error:
        raise ProfileRefusedError(f"{where}: {error}; copy it again") from error
