"""Write a page to a file atomically."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from ...system.files import replace_file, require_replaceable


def write(path: Path, document: str) -> int:
    """Write `document` to `path` atomically and return its size in bytes; raise UsageError."""
    raw = document.encode("utf-8", "replace")
    try:
        require_replaceable(path)
        replace_file(path, raw)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another path") from error
    return len(raw)
