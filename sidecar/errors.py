"""The root of every error that Pilotfish raises on purpose.

A message says what is wrong, where, the offending value (shortened) and what to do. It never holds a body or a secret.
"""

from __future__ import annotations

from pathlib import PurePath

MAX_QUOTED = 80


class PilotfishError(Exception):
    """Root of the sidecar's own errors; its message is written for the person who operates Pilotfish."""


class UsageError(PilotfishError):
    """A command line, an address or a file that a person gave cannot be used."""


def quote_value(value: object, limit: int = MAX_QUOTED) -> str:
    """Return `value` for a message: `repr`, cut to `limit` characters; a path keeps its last component.

    A path must come as a `Path`, not as text, to be cut in its middle.
    """
    if isinstance(value, PurePath):
        return _shown_path(value, limit)
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def error_location(error: BaseException) -> str:
    """Return the file and line where `error` was raised: what a log may say where the message could hold a body."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "unknown"


def escape_unprintable(text: str) -> str:
    """Return foreign text as a terminal may have it: whatever is no printable character becomes a dot."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _shown_path(path: PurePath, limit: int) -> str:
    text = repr(str(path))
    if len(text) <= limit:
        return text
    kept = min(max(len(repr(path.name)), limit // 2), limit - limit // 4)  # slash, name, quote; and more where it fits
    return text[: limit - 1 - kept] + "…" + text[-kept:]
