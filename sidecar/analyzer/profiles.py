"""Where the profile in force comes from: the document's file, or one that was put over HTTP and kept.

A profile that was put wins until the document's file changes; so a retrained model's profile survives a restart, and
whoever edits the file has the last word.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile import Profile
from pilotfish.sidecar.analyzer.checkpoint import save
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError
from pilotfish.sidecar.errors import shown

KEPT_FILE = "profile"
MAX_RAW = 16 * 1024 * 1024
MAX_PLAIN = 64 * 1024 * 1024
_GZIP, _GZIP_WINDOW = b"\x1f\x8b", 31


def parse_profile(raw: bytes, where: str) -> Profile:
    """Return the profile in `raw`, which may be gzipped; raise ProfileRefusedError that names `where`."""
    try:
        if len(raw) > MAX_RAW:
            raise ProfileRefusedError(f"{where}: larger than {MAX_RAW >> 20} MiB; build it with fewer features")
        return Profile.from_bytes(_plain(raw, where))
    except ProfileError as error:
        raise ProfileRefusedError(f"{where}: {error}") from error


def read_profile(path: Path) -> tuple[Profile, str]:
    """Return the profile in the file and the SHA-256 of its bytes; raise ProfileRefusedError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_RAW + 1)
    except OSError as error:
        raise ProfileRefusedError(
            f"profile {shown(str(path))}: {error.strerror}; check spec.profiles[].path"
        ) from error
    return parse_profile(raw, f"profile {shown(str(path))}"), hashlib.sha256(raw).hexdigest()


@dataclass
class FileWatch:
    """Tells when a file was replaced or written to, by what `stat` says; a missing file is a state like any other."""

    path: Path

    def __post_init__(self) -> None:
        self._seen = self._look()

    def changed(self) -> bool:
        """Tell whether it changed since the last call."""
        now = self._look()
        if now == self._seen:
            return False
        self._seen = now
        return True

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class ProfileShelf:
    """The document's file and the kept one; `source` is None where the document names no file."""

    def __init__(self, source: Path | None, folder: Path) -> None:
        self.source = source
        self._kept = folder / KEPT_FILE
        self._digest = ""
        self._watch = FileWatch(source) if source else None

    def first(self) -> Profile | None:
        """Return the profile to begin with, None without any; raise ProfileRefusedError when it cannot be used."""
        profile = None
        if self.source is not None:
            self._digest = ""
            profile, self._digest = read_profile(self.source)
        return self._kept_profile() or profile

    def changed(self) -> Profile | None:
        """Return the file's new profile after it changed, None when it did not; raise ProfileRefusedError."""
        if self._watch is None or self.source is None or not self._watch.changed():
            return None
        profile, digest = read_profile(self.source)
        if digest == self._digest:
            return None
        self._digest = digest
        self._kept.unlink(missing_ok=True)
        return profile

    def keep(self, profile: Profile) -> None:
        """Write a profile that was put, so that it is there after a restart; raise CheckpointError on a full disk."""
        save(self._kept, self._digest.encode() + b"\n" + profile.to_bytes())

    def _kept_profile(self) -> Profile | None:
        try:
            replaces, _, raw = self._kept.read_bytes().partition(b"\n")
        except OSError:
            return None
        if replaces.decode("ascii", "replace") != self._digest:
            return None
        return parse_profile(raw, f"kept profile {shown(str(self._kept))}")


def _plain(raw: bytes, where: str) -> bytes:
    if not raw.startswith(_GZIP):
        return raw
    try:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        plain = unpacker.decompress(raw, MAX_PLAIN)
    except zlib.error as error:
        raise ProfileRefusedError(f"{where}: damaged gzip ({error}); copy it again") from error
    if unpacker.unconsumed_tail:
        raise ProfileRefusedError(f"{where}: more than {MAX_PLAIN >> 20} MiB unpacked; build it with fewer features")
    return plain
