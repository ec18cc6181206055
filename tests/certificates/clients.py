"""Clients of a server with a certificate of Pilotfish, which verify it as Go, OpenSSL and browsers do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from pilotfish.sidecar.certificates.issuing import ServingCertificate

NAMES = ("pilotfish-control.pilotfish-system.svc", "localhost", "127.0.0.1")


def trusts(bundle: bytes, serving: ServingCertificate, now: float, names: Sequence[str] = NAMES[:1]) -> bool:
    """Return whether a client that trusts `bundle` accepts the server at `now` under each of the DNS names."""
    store = Store(x509.load_pem_x509_certificates(bundle))
    leaf = x509.load_pem_x509_certificate(serving.certificate)
    for name in names:
        policy = PolicyBuilder().store(store).time(datetime.fromtimestamp(now, UTC).replace(tzinfo=None))
        try:
            policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [])
        except VerificationError:
            return False
    return True
