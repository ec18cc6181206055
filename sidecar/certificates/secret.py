"""The data of the Secret of the authority: from Base64 to authorities, and back.

    ca.crt   the certificates of all authorities, newest first: the bundle that clients trust
    ca.key   their private keys, in any order; each belongs to the certificate with its public key

Whatever was written into the Secret is read without an exception: what is damaged is named, and left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .errors import UNUSABLE
from .issuing import SigningAuthority, key_to_pem

CERTIFICATES, KEYS = "ca.crt", "ca.key"
MAX_BYTES = 256 * 1024  # of one entry; four authorities take 4 kB
MAX_AUTHORITIES = 8

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]{1,40})-----[^-]{0,20000}-----END \1-----")


@dataclass(frozen=True, slots=True)
class Trust:
    """The authorities in a Secret, newest first, and what could not be read in it, for a log."""

    authorities: tuple[SigningAuthority, ...] = ()
    damage: tuple[str, ...] = ()


def decode(data: Mapping[str, Any] | None) -> Trust:
    """Return what `data` of the Secret contains; it may be None, as in a Secret that nobody has filled."""
    damage: list[str] = []
    keys = {_public(key): key for key in _keys(_entry(data, KEYS, damage), damage)}
    found = {}
    for certificate in _certificates(_entry(data, CERTIFICATES, damage), damage):
        key = keys.get(_raw(certificate.public_key()))
        if key is None:
            damage.append(f"a certificate of {CERTIFICATES} has no key in {KEYS}")
        authority = SigningAuthority(certificate, key)
        found[authority.fingerprint] = authority
    return Trust(newest_first(found.values())[:MAX_AUTHORITIES], tuple(damage))


def encode(authorities: Iterable[SigningAuthority]) -> dict[str, str]:
    """Return the data of the Secret; the same authorities always give the same data."""
    ordered = newest_first(authorities)
    keys = b"".join(key_to_pem(authority.key) for authority in ordered if authority.key is not None)
    return {CERTIFICATES: base64.b64encode(bundle(ordered)).decode(), KEYS: base64.b64encode(keys).decode()}


def bundle(authorities: Iterable[SigningAuthority]) -> bytes:
    """Return the certificates of the authorities, newest first, PEM."""
    ordered = newest_first(authorities)
    return b"".join(authority.certificate.public_bytes(serialization.Encoding.PEM) for authority in ordered)


def newest_first(authorities: Iterable[SigningAuthority]) -> tuple[SigningAuthority, ...]:
    """Return the authorities in their order: by age, then by fingerprint."""
    return tuple(sorted(authorities, key=lambda one: (-one.published, one.fingerprint)))


def _entry(data: Mapping[str, Any] | None, name: str, damage: list[str]) -> bytes:
    text = (data or {}).get(name) or ""
    try:
        raw = base64.b64decode(text, validate=True) if len(text) <= MAX_BYTES else None
    except (binascii.Error, TypeError, ValueError):
        raw = None
    if raw is None:
        damage.append(f"{name} is not Base64 of at most {MAX_BYTES >> 10} KiB")
    return raw or b""


def _blocks(raw: bytes, entry: str, damage: list[str]) -> Iterator[bytes]:
    if _BLOCK.sub(b"", raw).strip():
        damage.append(f"{entry} contains something that is not PEM")
    yield from (match[0] for match in _BLOCK.finditer(raw))


def _certificates(raw: bytes, damage: list[str]) -> Iterator[x509.Certificate]:
    for block in _blocks(raw, CERTIFICATES, damage):
        try:
            certificate = x509.load_pem_x509_certificate(block)
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
            certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            certificate.fingerprint(hashes.SHA256())
            _raw(certificate.public_key())
            usable = constraints.ca
        except UNUSABLE:
            usable = False
        if usable:
            yield certificate
        else:
            damage.append(f"a certificate of {CERTIFICATES} is not one of an authority")


def _keys(raw: bytes, damage: list[str]) -> Iterator[ec.EllipticCurvePrivateKey]:
    for block in _blocks(raw, KEYS, damage):
        try:
            key = serialization.load_pem_private_key(block, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if isinstance(key, ec.EllipticCurvePrivateKey):
            yield key
        else:
            damage.append(f"a key of {KEYS} is not an unencrypted key on an elliptic curve")


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return _raw(key.public_key())


def _raw(key: Any) -> bytes:
    raw: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return raw
