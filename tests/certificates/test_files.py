"""Certificates from files: read again when they change, and the choice between them and the authority."""

from __future__ import annotations

import asyncio
import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from pilotfish.sidecar import tasks
from pilotfish.sidecar.certificates.authority import Authority
from pilotfish.sidecar.certificates.choice import choose_certificates, parse_tls_files
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.certificates.source import kept_current
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.serving.tls import TlsFiles
from tests.support.tls import ONE, OTHER
from tests.support.waiting import eventually


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copy(ONE[0], tmp_path / "ca.crt"))


def test_the_bundle_is_read_again_and_stays_in_force_when_it_is_damaged(bundle: Path) -> None:
    found = CertificateFiles(TlsFiles(*ONE), bundle)
    assert found.bundle == ONE[0].read_bytes()
    bundle.write_bytes(ONE[0].read_bytes() + OTHER[0].read_bytes())
    assert found.bundle.count(b"BEGIN CERTIFICATE") == 2
    both = found.bundle
    for damaged in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ONE[1].read_bytes()):
        bundle.write_bytes(damaged)
        assert found.bundle == both
        assert "the previous certificates stay in force" in found.problem
    bundle.write_bytes(OTHER[0].read_bytes())
    assert found.bundle == OTHER[0].read_bytes()
    assert found.problem == ""


def test_a_bundle_never_contains_a_key(bundle: Path) -> None:
    bundle.write_bytes(ONE[1].read_bytes() + ONE[0].read_bytes())
    assert b"PRIVATE" not in CertificateFiles(TlsFiles(*ONE), bundle).bundle


def test_the_expiry_of_both_files_is_known(bundle: Path) -> None:
    found = CertificateFiles(TlsFiles(*ONE), bundle).expiries()
    assert found.keys() == {"authority", "serving"}
    assert CertificateFiles(TlsFiles(*ONE)).expiries().keys() == {"serving"}


def test_the_expiry_stays_known_while_a_file_cannot_be_read(tmp_path: Path) -> None:
    files = TlsFiles(Path(shutil.copy(ONE[0], tmp_path / "tls.crt")), Path(shutil.copy(ONE[1], tmp_path / "tls.key")))
    found = CertificateFiles(files)
    before = found.expiries()
    files.certificate.unlink()
    assert found.expiries() == before
    assert "the previous certificate stays in force" in found.problem


def test_a_bundle_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the certificates"):
        CertificateFiles(TlsFiles(*ONE), tmp_path / "missing")


@pytest.mark.asyncio
async def test_files_are_ready_at_once_unless_the_process_stops() -> None:
    found, stop = CertificateFiles(TlsFiles(*ONE)), asyncio.Event()
    assert await found.start(stop)
    stop.set()
    assert not await found.start(stop)
    await found.run(stop)


def test_files_are_chosen_if_they_are_given_and_the_authority_otherwise() -> None:
    kube = Kube.__new__(Kube)
    assert isinstance(choose_certificates(kube, "ns", "control", TlsFiles(*ONE)), CertificateFiles)
    assert isinstance(choose_certificates(kube, "ns", "control", None), Authority)
    assert parse_tls_files(Namespace(tls_cert=None, tls_key=None)) is None
    with pytest.raises(UsageError, match="belong together"):
        parse_tls_files(Namespace(tls_cert=ONE[0], tls_key=None))


@pytest.mark.asyncio
async def test_keeping_certificates_current_begins_again_after_a_defect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "AGAIN", 0.0)
    begun = []

    class Broken:
        async def run(self, stop: asyncio.Event) -> None:
            begun.append(1)
            if len(begun) == 1:
                raise LookupError("an odd Secret")
            await stop.wait()

    stop = asyncio.Event()
    async with kept_current(CertificateFiles(TlsFiles(*ONE)), stop, Broken()):
        await eventually(lambda: len(begun) == 2, what="the second beginning")
    assert "keeping certificates current failed; it begins again" in caplog.text
