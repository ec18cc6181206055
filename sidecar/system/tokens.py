"""Reads the bearer token from its file, for the admin server and for the commands that send requests to it."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError, quote_value

MAX_TOKEN_BYTES = 4096


def read_token(path: Path) -> bytes:
    """Return the token in the file without surrounding white space; raise UsageError if it is empty or too long."""
    try:
        with path.open("rb") as file:
            token = file.read(MAX_TOKEN_BYTES + 1).strip()
    except OSError as error:
        raise UsageError(
            f"cannot read the token file {quote_value(path)}: {error.strerror}; check its path and its permissions"
        ) from error
    if not token or len(token) > MAX_TOKEN_BYTES:
        raise UsageError(f"the token file {quote_value(path)} holds {len(token)} bytes; give 1 to {MAX_TOKEN_BYTES}")
    return token
