"""The error of this package."""

from __future__ import annotations

from ..errors import PilotfishError


class CertificateError(PilotfishError):
    """A certificate that cannot be read, issued or stored."""
