"""What can be wrong with reference data or with a profile's file."""

from __future__ import annotations

from ..errors import PilotfishError


class ReferenceDataError(PilotfishError):
    """The file of reference rows cannot be read, or its columns do not fit the options."""


class ProfileFileError(PilotfishError):
    """A profile's file cannot be read or written."""
