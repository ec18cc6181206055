"""Reads the secret that signs retraining events. The executor reads it for each attempt, so that it can be rotated."""

from __future__ import annotations

from pathlib import Path

from ...errors import PilotfishError, quote_value
from ...system.tokens import read_secret_file


class SecretError(PilotfishError):
    """The secret file cannot be used. The message does not contain the secret."""


def read_secret(path: Path) -> bytes:
    """Return the secret in the file at `path`, without white space around it; raise SecretError."""
    try:
        return read_secret_file(path)
    except OSError as error:
        raise SecretError(
            f"secret file {quote_value(path)}: {error.strerror}; check spec.retrain.webhook.secretFile"
        ) from error
    except ValueError as error:
        raise SecretError(f"secret file {quote_value(path)}: {error}") from error


def secret_problem(path: Path | None) -> str:
    """Return why the secret at `path` cannot be used; empty if it can, or if there is none."""
    try:
        if path is not None:
            read_secret(path)
    except SecretError as error:
        return str(error)
    return ""
