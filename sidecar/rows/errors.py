"""The error of this package."""

from __future__ import annotations

from ..errors import PilotfishError


class RowsError(PilotfishError):
    """Rows cannot be written, read or used."""
