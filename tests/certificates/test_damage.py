"""A certificate with any damaged bytes is refused by each of its readers, with the error that the reader promises."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.certificates.errors import CertificateError
from pilotfish.sidecar.certificates.expiry import read_bundle
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.certificates.issued import CERTIFICATE, KEY, fits
from pilotfish.sidecar.certificates.issuing import create_authority, sign_server
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.serving.tls import TlsFiles
from tests.support.examples import examples
from tests.support.tls import ONE

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")  # damage may make one

NOW = 1_800_000_000.0
AUTHORITY = create_authority(NOW)
LEAF = sign_server(AUTHORITY, ("localhost",), NOW)
PLACES = st.integers(28, len(LEAF.certificate) - 26)  # between the first line and the last one
OTHER_VERSION = LEAF.certificate[:45] + b"w" + LEAF.certificate[46:]  # of X.509


def secret(certificate: bytes) -> dict[str, str]:
    return {name: base64.b64encode(value).decode() for name, value in ((CERTIFICATE, certificate), (KEY, b"key"))}


def test_a_version_that_does_not_exist_is_refused_by_each_reader(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(OTHER_VERSION)
    with pytest.raises(UsageError, match="a certificate that is damaged"):
        CertificateFiles(TlsFiles(*ONE), tmp_path / "ca.crt")
    with pytest.raises(CertificateError, match="InvalidVersion"):
        read_bundle(OTHER_VERSION)
    assert fits(secret(LEAF.certificate), (AUTHORITY,), "localhost", NOW + 1)
    assert not fits(secret(OTHER_VERSION), (AUTHORITY,), "localhost", NOW + 1)


@settings(max_examples=examples(300))
@given(PLACES, st.binary(min_size=1, max_size=40))
def test_damaged_bytes_raise_only_the_error_of_the_reader(position: int, damage: bytes) -> None:
    certificate = LEAF.certificate[:position] + damage + LEAF.certificate[position + len(damage) :]
    with suppress(CertificateError):
        read_bundle(certificate)
    fits(secret(certificate), (AUTHORITY,), "localhost", NOW + 1)
