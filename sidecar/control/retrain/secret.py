"""Reads the secret that signs retraining events. The executor reads it for each attempt, so that it can be rotated."""

from __future__ import annotations

from pathlib import Path

from ...errors import PilotfishError, quote_value

MAX_SECRET_BYTES = 4096


class SecretError(PilotfishError):
    """The secret file cannot be used. The message does not contain the secret."""


def read_secret(path: Path) -> bytes:
    """Return the secret in the file at `path`, without white space around it; raise SecretError."""
    try:
        with path.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES + 1).strip()
    except OSError as error:
        raise SecretError(
            f"secret file {quote_value(path)}: {error.strerror}; check spec.retrain.webhook.secretFile"
        ) from error
    if not 0 < len(secret) <= MAX_SECRET_BYTES:
        raise SecretError(f"secret file {quote_value(path)}: holds {len(secret)} bytes; give 1 to {MAX_SECRET_BYTES}")
    return secret


def secret_problem(path: Path | None) -> str:
    """Return why the secret at `path` cannot be used; empty if it can, or if there is none."""
    try:
        if path is not None:
            read_secret(path)
    except SecretError as error:
        return str(error)
    return ""
