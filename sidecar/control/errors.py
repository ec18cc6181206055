"""Errors of the control loop."""

from __future__ import annotations

from ..errors import PilotfishError


class OutboxError(PilotfishError):
    """The outbox cannot be read, locked or written, so the loop must not act."""


class StoreError(PilotfishError):
    """A state cannot be read or written. `retry_after` is the wait in seconds that the store asked for, or None."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreConflictError(StoreError):
    """Another process has written the state since it was loaded."""
