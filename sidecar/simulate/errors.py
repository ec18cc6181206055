"""The errors of `pilotfish simulate`."""

from __future__ import annotations

from ..errors import PilotfishError


class TraceError(PilotfishError):
    """A load trace that cannot be read; the message has the file, the line and the remedy."""


class PlantError(PilotfishError):
    """A simulated service that cannot work as described, for example one without a service time."""
