"""Reads the files of /proc and of cgroups: text of the kernel, with names of processes in any encoding."""

from __future__ import annotations

from pathlib import Path

from ..system.files import read_file

MOST_BYTES = 1 << 24  # of one file; a socket has a line of 150 bytes


def kernel_text(path: Path) -> str:
    """Return the content of a file, at most MOST_BYTES; raise OSError."""
    return read_file(path, MOST_BYTES).decode("utf-8", "replace")
