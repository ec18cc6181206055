"""The base classes of Pilotfish's errors, and functions that write values into messages.

A message has the form `what failed: the value (truncated); why; what to do`. It must never contain a body or a secret.
"""

from __future__ import annotations

import re
from pathlib import PurePath

MAX_QUOTED = 80

# without the scheme: to look for it takes quadratic time in the length of a text
_URL = re.compile(r"(://)(?:[^\s/?#]*@)?([^\s/?#]*)([^\s?#]*)(?:[?#]\S*)?")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(?::[0-9]*)?")


class PilotfishError(Exception):
    """Base class of the sidecar's errors. The message is for the operator of Pilotfish."""


class UsageError(PilotfishError):
    """An unusable command line, address or file."""


class RefusedError(PilotfishError):
    """An HTTP request that is refused with `status`. The client receives the text."""

    status = 400


def quote_value(value: object, limit: int = MAX_QUOTED) -> str:
    """Return `repr(value)` for a message, truncated to `limit` characters, with URLs as `redact_urls` shows them.

    A `Path` is truncated in the middle, so that its last component stays; other values are truncated at the end.
    """
    if isinstance(value, PurePath):
        return _quote_path(value, limit)
    text = repr(_redacted(value, limit))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def redact_urls(text: str) -> str:
    """Return `text` with each URL without user, password, query and fragment, which may hold secrets.

    If such a URL has no valid authority, only its scheme remains, because its parts cannot be told apart.
    """
    return _URL.sub(_shown_url, text) if "://" in text else text


def hide_path(url: str) -> str:
    """Return `url` without all that may be a secret, also its path: `https://hooks.example/…`."""
    scheme, mark, rest = redact_urls(url).partition("://")
    if not mark:
        scheme, rest = "", url
    host, slash, path = rest.partition("/")
    host = re.split("[?#]", "" if "@" in path else host.rpartition("@")[2])[0]
    return f"{scheme}{mark}{host}{slash}{'…' if path else ''}"


def number(amount: int, word: str) -> str:
    """Return `3 rows` or `1 row`."""
    return f"{amount:,} {word}{'' if amount == 1 else 's'}"


def error_location(error: BaseException) -> str:
    """Return the file and line where `error` was raised, for logs where its message could contain a body."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "unknown"


def escape_unprintable(text: str) -> str:
    """Return `text` with each unprintable character replaced by a dot, so that a terminal can show it safely."""
    return "".join(character if character.isprintable() else "·" for character in text)


def _shown_url(url: re.Match[str]) -> str:
    if not {"@", "?", "#"} & set(url[0]):
        return url[0]
    return url[1] + (url[2] + url[3] if _AUTHORITY.fullmatch(url[2]) else "…")


def _redacted(value: object, levels: int) -> object:
    """Return `value` with its texts redacted, to a depth of `levels`: its `repr` has one bracket for each level."""
    if isinstance(value, str):
        return redact_urls(value)
    if levels <= 0:
        return None
    if isinstance(value, dict):
        return {_redacted(key, levels - 1): _redacted(item, levels - 1) for key, item in value.items()}
    return [_redacted(item, levels - 1) for item in value] if isinstance(value, list) else value


def _quote_path(path: PurePath, limit: int) -> str:
    text = repr(str(path))
    if len(text) <= limit:
        return text
    kept = min(
        max(len(repr(path.name)), limit // 2), limit - limit // 4
    )  # the name with slash and quote, more if it fits
    return text[: limit - 1 - kept] + "…" + text[-kept:]
