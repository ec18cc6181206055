"""The only place where commands print text and JSON: no character of a foreign text may control the terminal.

Messages and values may come from files, profiles, and servers that answer at a wrong address. Every command prints
through this module, so that no caller can forget the escapes. `log.py` does the same for the log. `checked_output`
turns what a broken pipe or a full disk does to the standard output into an exit status.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from .errors import PilotfishError, escape_unprintable

_UNUSUAL = re.compile(r"[^\x20-\x7e\n]")


class OutputError(PilotfishError):
    """The standard output cannot be written, for example because the disk is full."""


class ClosedOutputError(OutputError):
    """The reader of the standard output has ended, such as `head`."""


class _Output(io.FileIO):
    """The standard output as a file whose errors are OutputErrors, so that no library mistakes them for its own."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError as error:
            raise ClosedOutputError("standard output: its reader has ended") from error
        except OSError as error:
            raise OutputError(
                f"standard output cannot be written ({error.strerror}); free space, or write to another file"
            ) from error


def prepare() -> None:
    """Prepare the standard streams of a command.

    They write characters that their encoding lacks as escapes, instead of raising an error. A closed stream takes
    everything. An error of the standard output is an OutputError.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # its descriptor is closed
            setattr(sys, name, io.StringIO())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a stream of the standard library, not a replacement in memory
            stream.reconfigure(errors="backslashreplace")
    with suppress(OSError):  # a replacement in memory has no descriptor
        _check_output()


def _check_output() -> None:
    """Let writes to the standard output raise OutputError; do nothing if they already do, or if it was replaced."""
    given = sys.stdout
    if type(given) is not io.TextIOWrapper or isinstance(getattr(given.buffer, "raw", None), _Output):
        return
    raw = _Output(given.fileno(), "w", closefd=False)
    lines = given.line_buffering or given.write_through
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), given.encoding, given.errors, newline="\n", line_buffering=lines
    )


@contextmanager
def checked_output() -> Iterator[None]:
    """Write what the block printed; raise OutputError if the standard output does not take it.

    The rest of the output is then discarded, because Python would report it again at the exit.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputError:
        _discard(sys.stdout)
        raise


def _discard(stream: TextIO) -> None:
    """Discard what the stream still holds and takes from now on."""
    with suppress(OSError):  # a replacement in memory has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show(*lines: str) -> None:
    """Print the lines on the standard output, with each unprintable character, also a line end, as a dot."""
    _print(lines, sys.stdout)


def show_document(text: str) -> None:
    """Write a document for another program: byte for byte, and only on a terminal without unprintable characters."""
    if sys.stdout.isatty():
        show(*text.removesuffix("\n").split("\n"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def show_error(*lines: str) -> None:
    """Print the lines on standard error, as `show` does; do nothing if it cannot be written."""
    try:
        _print(lines, sys.stderr)
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def show_json(text: str) -> None:
    r"""Print JSON with each unprintable character as its JSON escape, such as `\u009b`; the values stay the same."""
    print(escape_json(text), flush=True)


def escape_json(text: str) -> str:
    r"""Return JSON with each unprintable character except line ends replaced by its JSON escape, such as `\u009b`."""
    return _UNUSUAL.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    if found[0].isprintable():
        return found[0]
    raw = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


def _print(lines: tuple[str, ...], file: TextIO) -> None:
    print(*map(escape_unprintable, lines), sep="\n", file=file)
