"""The names and the ends of the certificates of a bundle, for people."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from cryptography import x509

from .errors import UNUSABLE, CertificateError


class BundledCertificate(NamedTuple):
    """One certificate: its SHA-256 fingerprint, subject, and the last moment at which it is valid."""

    fingerprint: bytes
    subject: str
    ends: datetime


def read_bundle(pem: bytes) -> tuple[BundledCertificate, ...]:
    """Return the certificates in `pem`; raise CertificateError if there is none, or one cannot be read."""
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        found = x509.load_pem_x509_certificates(pem)
        return tuple(
            BundledCertificate(one.fingerprint(SHA256()), one.subject.rfc4514_string(), one.not_valid_after_utc)
            for one in found
        )
    except UNUSABLE as error:
        raise CertificateError(
            f"cannot read the certificates of a bundle of {len(pem):,} bytes; {type(error).__name__}; "
            "let the injector write it again"
        ) from error
