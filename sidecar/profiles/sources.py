"""The files of rows that a command reads: paths, and `-` for the standard input.

A reader opens a file more than once (header, rows, columns in which text follows numbers), so standard input that is
not a file is first copied to a temporary file without a name.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..system.files import open_file
from .errors import ReferenceDataError

STANDARD_INPUT = Path("-")
_NAME = "standard input"


@dataclass(frozen=True, slots=True)
class RowSource:
    """A file of rows: where it is, and its name in messages."""

    path: Path
    name: str

    def __str__(self) -> str:
        return self.name

    def open(self) -> BinaryIO:
        """Open the file; raise ReferenceDataError."""
        try:
            return open_file(self.path, follow=True)
        except OSError as error:
            raise ReferenceDataError(f"{self}: cannot be read ({error.strerror}); check the path") from error

    def starts_with(self, magic: bytes) -> bool:
        """Return whether the first bytes are `magic`; raise ReferenceDataError."""
        with self.open() as file:
            try:
                return file.read(len(magic)) == magic
            except OSError as error:
                raise ReferenceDataError(f"{self}: cannot be read ({error.strerror}); check the file") from error


def shown_names(paths: Path | Sequence[Path]) -> str:
    """Return the files as a message names them."""
    if isinstance(paths, Path):
        return _NAME if paths == STANDARD_INPUT else str(paths)
    more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    return shown_names(paths[0]) + more


@contextmanager
def opened_sources(paths: Sequence[Path]) -> Iterator[list[RowSource]]:
    """Yield the sources of the paths, in their order; raise ReferenceDataError."""
    if paths.count(STANDARD_INPUT) > 1:
        raise ReferenceDataError("-: standard input can be read only once; give - once")
    with ExitStack() as stack:
        yield [
            stack.enter_context(_standard_input()) if path == STANDARD_INPUT else RowSource(path, str(path))
            for path in paths
        ]


@contextmanager
def _standard_input() -> Iterator[RowSource]:
    """Yield standard input as a file that can be opened again."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise ReferenceDataError(f"{_NAME}: is a terminal or closed; pipe rows into the command, or give a file")
    given = sys.stdin.fileno()
    if stat.S_ISREG(os.fstat(given).st_mode):
        yield RowSource(Path(f"/proc/self/fd/{given}"), _NAME)
        return
    with tempfile.TemporaryFile() as copy:
        try:
            with open(given, "rb", closefd=False) as pipe:
                shutil.copyfileobj(pipe, copy)
            copy.flush()
        except OSError as error:
            raise ReferenceDataError(
                f"{_NAME}: cannot be copied to {tempfile.gettempdir()} ({error.strerror}); set TMPDIR, or give a file"
            ) from error
        yield RowSource(Path(f"/proc/self/fd/{copy.fileno()}"), _NAME)
