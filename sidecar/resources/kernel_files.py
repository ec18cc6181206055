"""Reads the files of /proc and of cgroups: text of the kernel, with names of processes in any encoding."""

from __future__ import annotations

from pathlib import Path

from ..system.files import open_file

MOST_BYTES = 1 << 24  # of one file; a socket has a line of 150 bytes
PART_BYTES = 1 << 14  # most files are smaller, and Python allocates what it is asked to read


def kernel_text(path: Path) -> str:
    """Return the content of a file, about MOST_BYTES at most; raise OSError."""
    content = bytearray()
    with open_file(path) as file:
        while len(content) < MOST_BYTES and (part := file.read(PART_BYTES)):
            content += part
    return content.decode("utf-8", "replace")
