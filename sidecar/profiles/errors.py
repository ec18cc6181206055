"""The errors of reference data and profile files."""

from __future__ import annotations

from ..errors import PilotfishError


class ReferenceDataError(PilotfishError):
    """Reference rows cannot be read, or their columns do not match the options."""


class ProfileFileError(PilotfishError):
    """A profile file cannot be read or written."""
