"""Reads a secret from its file: the bearer token of the admin address, and the secret that signs events."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError, quote_value

MAX_SECRET_BYTES = 4096


def read_secret_file(path: Path) -> bytes:
    """Return the content of the file without surrounding white space.

    Raise OSError if it cannot be read, ValueError if it is empty or too long; neither message has the content.
    """
    with path.open("rb") as file:
        secret = file.read(MAX_SECRET_BYTES + 1).strip()
    if not 0 < len(secret) <= MAX_SECRET_BYTES:
        raise ValueError(f"holds {len(secret)} bytes; give 1 to {MAX_SECRET_BYTES}")
    return secret


def read_token(path: Path) -> bytes:
    """Return the token in the file without surrounding white space; raise UsageError if it is empty or too long."""
    try:
        return read_secret_file(path)
    except OSError as error:
        raise UsageError(
            f"cannot read the token file {quote_value(path)}: {error.strerror}; check its path and its permissions"
        ) from error
    except ValueError as error:
        raise UsageError(f"the token file {quote_value(path)} {error}") from error
