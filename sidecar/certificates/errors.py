"""The error of this package, and the errors that `cryptography` raises for a certificate that cannot be used."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ..errors import PilotfishError

# The library has no common class for them, and raises some only when a field is read.
UNUSABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class CertificateError(PilotfishError):
    """A certificate that cannot be read, issued or stored."""
