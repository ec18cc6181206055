"""Reads a secret from its file: the bearer token of the admin address, and the secret that signs events."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import UsageError, quote_value
from .files import open_file

MAX_SECRET_BYTES = 4096
MAX_FILE_BYTES = MAX_SECRET_BYTES + 1024  # with white space around the secret


def read_secret_file(path: Path) -> bytes:
    """Return the content of the file without surrounding white space.

    Raise OSError if it is not a regular file that can be read, ValueError if it is empty or too long, or if other users
    could have written it; neither message has the content.
    """
    with open_file(path, MAX_FILE_BYTES, follow=True) as file:
        if os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
            raise ValueError("can be written by all users; give it mode 0400")
        secret = file.read(MAX_FILE_BYTES).strip()
    if not 0 < len(secret) <= MAX_SECRET_BYTES:
        raise ValueError(f"holds {len(secret)} bytes; give 1 to {MAX_SECRET_BYTES}")
    return secret


def read_token(path: Path) -> bytes:
    """Return the token in the file without surrounding white space; raise UsageError if the file cannot be used."""
    try:
        return read_secret_file(path)
    except OSError as error:
        raise UsageError(
            f"cannot read the token file {quote_value(path)}: {error.strerror}; check its path and its permissions"
        ) from error
    except ValueError as error:
        raise UsageError(f"the token file {quote_value(path)} {error}") from error


def read_header_token(path: Path) -> str:
    """Return the token in the file at `path`, if an HTTP header can carry it; raise UsageError."""
    text = read_token(path).decode("latin-1")
    if not text.isprintable():
        raise UsageError(
            f"the token file {quote_value(path)} has characters that an HTTP header cannot carry; write another token"
        )
    return text


def token_warning(path: Path | None) -> str:
    """Return why the token file cannot be used, or that all users can read it; empty otherwise and without a file."""
    if path is None:
        return ""
    try:
        read_token(path)
        exposed = path.stat().st_mode & stat.S_IROTH
    except UsageError as error:
        return f"the admin address refuses all requests that need the token: {error}"
    except OSError:  # it was removed at this moment; the next call reports it
        return ""
    return (
        f"all users of this machine can read the token file {quote_value(path)}: give it mode 0400" if exposed else ""
    )
