"""What the analyzer refuses, with the HTTP status that says so."""

from __future__ import annotations

from ..errors import PilotfishError


class RefusedError(PilotfishError):
    """A request to the analyzer that it does not carry out."""

    status = 400


class ProfileRefusedError(RefusedError):
    """A profile that cannot be taken into force."""

    status = 409


class LearningRefusedError(RefusedError):
    """Learning that cannot begin, or is not there to be ended."""

    status = 409


class UnknownEpisodeError(RefusedError):
    """An episode that does not exist or is closed already."""

    status = 404


class IdleError(RefusedError):
    """Nothing is counted, since document or profile cannot be used."""

    status = 503


class StoppingError(RefusedError):
    """The analyzer is ending, or its worker has."""

    status = 503
