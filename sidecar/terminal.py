"""The only place where commands print text and JSON: no character of a foreign text may control the terminal.

Messages and values may come from files, profiles, and servers that answer at a wrong address. Every command prints
through this module, so that no caller can forget the escapes. `log.py` does the same for the log.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO

from .errors import escape_unprintable

_UNUSUAL = re.compile(r"[^\x20-\x7e\n]")


def prepare() -> None:
    """Let the standard streams write characters that their encoding lacks as escapes, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a stream of the standard library, not a replacement in memory
            stream.reconfigure(errors="backslashreplace")


def show(*lines: str) -> None:
    """Print the lines on the standard output, with each unprintable character, also a line end, as a dot."""
    _print(lines, sys.stdout)


def show_error(*lines: str) -> None:
    """Print the lines on standard error, as `show` does."""
    _print(lines, sys.stderr)


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
