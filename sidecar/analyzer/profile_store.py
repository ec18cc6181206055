"""The profile store: the document's profile file, and the profiles stored after `PUT /profile` or after learning.

The stored profile takes precedence until the document's file changes. So the profile of a retrained model survives a
restart, and an edit of the file takes effect. The stored file therefore holds the digest of the document's file that it
replaces, and the profile as it was sent, with a checksum over both. The stored profile before the last one is kept,
too: it takes over if the last one cannot be used.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...detectors.errors import ProfileError
from ...detectors.profile.profile import Profile
from ..errors import quote_value
from ..system.files import read_file, replace_file, set_aside
from ..system.framing import FramingError, Sealed
from ..system.gunzip import DecompressionError, OutputTooLargeError, gunzip, is_gzip
from .checkpoint import CheckpointError, save
from .errors import ProfileRefusedError, describe

STORED_FILE = "profile"
PREVIOUS_FILE = "profile.previous"
REFUSED_FILE = "profile.refused"
MAX_PROFILE_BYTES = 16 * 1024 * 1024
MAX_FILE = MAX_PROFILE_BYTES + 1024  # the stored file has one more line
_SEALED = Sealed(b"PLTFPROF", 1)
_UNSEALED = re.compile(rb"(?:[0-9a-f]{64})?\n")
MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024


def parse_profile(raw: bytes, where: str) -> Profile:
    """Return the profile in `raw`, which may be gzipped; raise ProfileRefusedError, which names `where`."""
    try:
        if len(raw) > MAX_PROFILE_BYTES:
            raise ProfileRefusedError(
                f"{where}: the profile is larger than {MAX_PROFILE_BYTES >> 20} MiB; build it with fewer features"
            )
        return Profile.from_bytes(_decompress(raw, where))
    except (ProfileError, MemoryError) as error:
        raise ProfileRefusedError(f"{where}: {describe(error)}") from error


@dataclass
class FileWatcher:
    """Detects by `stat` that a file was replaced, written, created or removed."""

    path: Path

    def __post_init__(self) -> None:
        self._seen = self._stat()

    def changed(self) -> bool:
        """Return whether the file has changed since the last call."""
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
    """The document's profile file `source`, None when the document names none, and the stored profile in `folder`."""

    def __init__(self, source: Path | None, folder: Path) -> None:
        self.source = source
        self._stored = folder / STORED_FILE
        self._previous = folder / PREVIOUS_FILE
        self._refused = folder / REFUSED_FILE
        self._digest = ""
        self._not_in_force = True
        self._outdated = False
        self._watcher = FileWatcher(source) if source else None

    def load_stored(self) -> Profile | None:
        """Return the stored profile if it replaces the present file; raise ProfileRefusedError if it is damaged.

        A stored profile that replaces another file than the present one is ignored: the file was edited.
        """
        if self.source is not None:
            self._digest = _digest(_read(self.source, follow=True)[0])
        where = f"stored profile {quote_value(self._stored)}"
        if not self._stored.exists():
            return None
        content, problem = _read(self._stored)
        if problem:
            raise ProfileRefusedError(f"{where}: {problem}")
        digest, raw = _unsealed(content, where)
        if digest != self._digest:
            self._outdated = self.source is None
            return None
        profile = parse_profile(raw, where)
        if not content.startswith(_SEALED.magic):  # of an earlier version, without a checksum
            with suppress(CheckpointError):
                save(self._stored, self._sealed(raw))
        self._not_in_force = False
        return profile

    def quarantine(self) -> str:
        """Rename the stored profile, so that the next start does not read it; return a text with the new path."""
        self._not_in_force = True
        return set_aside(self._stored)

    @property
    def lost(self) -> str:
        """Why a stored profile is not in force, until another one is stored or the file changes; empty without one."""
        if self._outdated:
            return (
                f"the stored profile {quote_value(self._stored)} is not in force: it replaced a profile file that the "
                "document no longer names; send it again with PUT /profile, or name a file in spec.profiles[].path"
            )
        if not self._refused.is_file():
            return ""
        return (
            f"the stored profile is not in force: it was damaged and renamed to {quote_value(self._refused)}; "
            "send it again with PUT /profile to restore it"
        )

    def forget_lost(self) -> None:
        """Remove the damaged profile, because another one took its place."""
        self._outdated = False
        with suppress(OSError):
            self._refused.unlink(missing_ok=True)

    def restore_previous(self) -> bool:
        """Make the profile that was stored before the last one the stored profile; return whether there is one."""
        try:
            self._previous.replace(self._stored)
        except OSError:
            return False
        return True

    def load_changed(self) -> Profile | None:
        """Return the file's profile; None when it is already in force or the document names no file.

        Raises ProfileRefusedError. Call `confirm` once the profile is in force; until then, this returns it again.
        """
        if self.source is None:
            return None
        raw, problem = _read(self.source, follow=True)
        digest = _digest(raw)
        if not problem and digest == self._digest and not self._not_in_force:
            return None
        self._digest, self._not_in_force = digest, True
        return _parse(self.source, raw, problem)

    def confirm(self) -> None:
        """Record that the profile from `load_changed` is in force, and remove the stored profile."""
        self._not_in_force = False
        for path in (self._stored, self._previous):
            with suppress(OSError):  # if it stays, its digest is of another file, so it is ignored
                path.unlink(missing_ok=True)

    def changed(self) -> bool:
        """Return whether the document's file has changed since the last call."""
        return self._watcher is not None and self._watcher.changed()

    def store(self, raw: bytes) -> None:
        """Store the profile in `raw` durably, so that it survives a restart; raise CheckpointError on a full disk."""
        content = self._sealed(raw)
        before, _ = _read(self._stored)
        if before and before != content:
            with suppress(OSError):  # then the document's profile takes over if the new one cannot be used
                replace_file(self._previous, before, durable=True)
        save(self._stored, content)
        self.forget_lost()
        self._not_in_force = False

    def _sealed(self, raw: bytes) -> bytes:
        return _SEALED.wrap(self._digest.encode() + b"\n" + raw)


def _read(path: Path, *, follow: bool = False) -> tuple[bytes, str]:
    """Return the file's bytes and an empty text; or no bytes and the reason. ConfigMaps are links, to `follow`."""
    try:
        return read_file(path, MAX_FILE, follow=follow), ""
    except OSError as error:
        return b"", error.strerror or str(error)


def _unsealed(content: bytes, where: str) -> tuple[str, bytes]:
    """Return the digest of the replaced file, and the profile; raise ProfileRefusedError if the content is damaged.

    A file of an earlier version is a line with the digest, and the profile.
    """
    payload = content
    if not _UNSEALED.match(content):
        try:
            _, payload = _SEALED.unwrap(content)
        except FramingError as error:
            raise ProfileRefusedError(f"{where}: {error}") from error
    digest, _, raw = payload.partition(b"\n")
    return digest.decode("ascii", "replace"), raw


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
        return gunzip(raw, MAX_DECOMPRESSED_BYTES)
    except OutputTooLargeError as error:
        raise ProfileRefusedError(f"{where}: {error}; build it with fewer features") from error
    except DecompressionError as error:
        raise ProfileRefusedError(f"{where}: {error}; copy it again") from error
