"""Errors for requests that the analyzer refuses, each with its HTTP status.

A refused request changes nothing. The text of the error is sent to the client, so it must not quote a body or a secret.
"""

from __future__ import annotations

from ..errors import PilotfishError


class RefusedError(PilotfishError):
    """A request that the analyzer refuses."""

    status = 400


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
