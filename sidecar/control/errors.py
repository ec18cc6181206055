"""What can go wrong in the control loop."""

from __future__ import annotations

from ..errors import PilotfishError


class OutboxError(PilotfishError):
    """The outbox cannot be read, so that nobody knows what was sent already."""
