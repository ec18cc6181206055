"""Profile files: JSON, compressed with gzip if the name ends in .gz."""

from __future__ import annotations

import gzip
from pathlib import Path

from ...detectors.errors import ProfileError
from ...detectors.profile.profile import Profile
from ..system.files import read_file, replace_file, require_replaceable
from ..system.gunzip import DecompressionError, gunzip, is_gzip
from .errors import ProfileFileError

LARGEST = 64 * 1024 * 1024


def unpack(raw: bytes, where: str, limit: int = LARGEST) -> bytes:
    """Return the JSON in `raw`, which may be gzip, of at most `limit` bytes; raise ProfileFileError."""
    if is_gzip(raw):
        try:
            return gunzip(raw, limit)
        except DecompressionError as error:
            raise ProfileFileError(f"{where}: the gzip data is {error}; copy or build the profile again") from error
    if len(raw) > limit:
        raise ProfileFileError(f"{where}: is larger than {limit:,} bytes, so it is not a profile; check the path")
    return raw


def read_profile(path: Path) -> Profile:
    """Read the profile in `path`; raise ProfileFileError."""
    try:
        raw = read_file(path, LARGEST, follow=True)
    except OSError as error:
        raise ProfileFileError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    try:
        return Profile.from_bytes(unpack(raw, str(path)))
    except ProfileError as error:
        raise ProfileFileError(f"{path}: {error}") from error


def write_profile(path: Path, profile: Profile) -> int:
    """Write `profile` to `path` atomically and return the size in bytes; raise ProfileFileError."""
    raw = profile.to_bytes()
    if path.suffix == ".gz":
        raw = gzip.compress(raw, mtime=0)
    try:
        require_replaceable(path)
        replace_file(path, raw)
    except OSError as error:
        raise ProfileFileError(f"{path}: cannot be written ({error.strerror}); choose another path") from error
    return len(raw)
