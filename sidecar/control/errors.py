"""Errors of the control loop."""

from __future__ import annotations

from ..errors import PilotfishError


class OutboxError(PilotfishError):
    """The outbox cannot be read or locked, so the loop cannot find out what was sent already."""
