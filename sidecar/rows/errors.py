"""What can be wrong with stored rows."""

from __future__ import annotations

from ..errors import PilotfishError


class RowsError(PilotfishError):
    """Stored rows cannot be read, or are not what they should be."""
