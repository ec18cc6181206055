"""Errors for requests that the analyzer refuses, each with its HTTP status.

A refused request changes nothing. The text of the error is sent to the client, so it must not quote a body or a secret.
"""

from __future__ import annotations

from ...detectors.errors import DetectorError
from ..errors import PilotfishError, RefusedError, error_location


class ProfileRefusedError(RefusedError):
    """A profile that cannot be put into force."""

    status = 409


class LearningRefusedError(RefusedError):
    """Learning cannot begin, or the learning in question has already ended."""

    status = 409


class UnknownEpisodeError(RefusedError):
    """The episode does not exist or is already closed."""

    status = 404


class IdleError(RefusedError):
    """The analyzer is idle: the document or the profile cannot be used."""

    status = 503


class StoppingError(RefusedError):
    """The analyzer is stopping, or its worker has stopped."""

    status = 503


def describe(error: Exception) -> str:
    """Return the message of an error that this package raises on purpose; for any other error, its type and place.

    The message of another error could quote a value of a row.
    """
    if isinstance(error, (PilotfishError, DetectorError)):
        return str(error)
    if isinstance(error, MemoryError):
        return "it needs more memory than --memory-limit allows"
    return f"{type(error).__name__} at {error_location(error)}; this is a defect, please report it"
