"""Creates authorities and signs serving certificates: X.509, ECDSA on P-256, PEM.

The keys stay in this process or in the Secret of the authority; nothing here writes a file. Errors never contain a key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .lifetimes import AUTHORITY_LIFE, SERVING_LIFE, SKEW

COMMON_NAME_LENGTH = 64  # RFC 5280, ub-common-name


@dataclass(frozen=True, slots=True)
class SigningAuthority:
    """An authority. Without `key` it only verifies."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None

    @property
    def published(self) -> float:
        """When it was created, in epoch seconds; it is valid from SKEW before."""
        return self.certificate.not_valid_before_utc.timestamp() + SKEW

    @property
    def expires(self) -> float:
        """When it expires, in epoch seconds."""
        return self.certificate.not_valid_after_utc.timestamp()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint, in hexadecimal digits."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def __repr__(self) -> str:
        return f"SigningAuthority({self.fingerprint[:16]})"


@dataclass(frozen=True, slots=True)
class ServingCertificate:
    """A certificate of a server with its key, both PEM, and its times in epoch seconds; `issuer` is a fingerprint."""

    certificate: bytes
    key: bytes
    issued: float
    expires: float
    issuer: str

    def __repr__(self) -> str:
        return f"ServingCertificate(expires={self.expires})"


def create_authority(now: float) -> SigningAuthority:
    """Return a new authority, self-signed, valid for AUTHORITY_LIFE from `now`."""
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = _name(f"pilotfish-ca {identifier.digest.hex()[:16]}")  # one name each, so that no client mixes two up
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now - SKEW))
        .not_valid_after(_time(now + AUTHORITY_LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    return SigningAuthority(certificate, key)


def sign_server(authority: SigningAuthority, names: Sequence[str], now: float) -> ServingCertificate:
    """Return a certificate with a new key for a server that is reached by `names`, DNS names and IP addresses.

    It is valid for SERVING_LIFE from `now`, and never longer than its authority, which must have a key.
    """
    assert authority.key is not None
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    expires = min(now + SERVING_LIFE, authority.expires)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0][:COMMON_NAME_LENGTH]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(_time(now - SKEW), authority.certificate.not_valid_before_utc))
        .not_valid_after(_time(expires))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return ServingCertificate(pem, key_to_pem(key), now, expires, authority.fingerprint)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as unencrypted PEM (PKCS #8)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)  # X.509 has whole seconds


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
