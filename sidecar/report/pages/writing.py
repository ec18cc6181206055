"""A page as a file, whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ...errors import UsageError


def write(path: Path, document: str) -> int:
    """Write `document` to `path` in one step and return its size in bytes; raise UsageError."""
    raw = document.encode("utf-8", "replace")
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(raw)
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):  # what cannot be written may be impossible to remove, too
            fresh.unlink(missing_ok=True)
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another --html") from error
    return len(raw)
