"""Certificates from files, such as those that cert-manager keeps in a Secret volume."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509

from ..errors import UsageError, quote_value
from ..serving.tls import TlsContext, TlsFiles
from ..system.files import read_file
from .errors import UNUSABLE

MAX_BYTES = 256 * 1024
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]{0,20000}-----END CERTIFICATE-----\n?")


class CertificateFiles:
    """A CertificateSource of PEM files, which are read again when they change.

    `authorities` is the file with the certificates that clients must trust; without it, `bundle` is empty.
    """

    def __init__(self, files: TlsFiles, authorities: Path | None = None) -> None:
        """Read the files; raise UsageError if they cannot be used."""
        self._context = TlsContext(files)
        self._files = files
        self._authorities = authorities
        self._bundle = _read_certificates(authorities) if authorities is not None else b""
        self._problem = ""
        self._expiries: dict[str, float] = {}

    @property
    def problem(self) -> str:
        """Why changed files are not in force; empty otherwise."""
        return self._context.problem or self._problem

    @property
    def bundle(self) -> bytes:
        """The certificates of the file, PEM; the last usable ones if the file cannot be used."""
        if self._authorities is not None:
            try:
                self._bundle, self._problem = _read_certificates(self._authorities), ""
            except UsageError as error:
                self._problem = f"{error}; the previous certificates stay in force"
        return self._bundle

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        return self._context.current()

    def expiries(self) -> Mapping[str, float]:
        """Return when the certificates in force expire, in epoch seconds."""
        for name, path in (("authority", self._authorities), ("serving", self._files.certificate)):
            try:
                pem = _read_certificates(path) if path is not None else b""
            except UsageError:  # `problem` says why; the previous ones stay in force
                continue
            if pem:
                self._expiries[name] = x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
        self._context.current()  # notices a changed file also without a connection
        return dict(self._expiries)

    async def refresh(self) -> None:
        """Return at once: `bundle` and `current` look at the files themselves."""

    async def start(self, stop: asyncio.Event) -> bool:
        """Return True: the files were read already."""
        return not stop.is_set()

    async def run(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set: the files are read when they are needed."""
        await stop.wait()


def _read_certificates(path: Path) -> bytes:
    """Return the certificates in a file, without anything else that it contains; raise UsageError."""
    try:
        blocks = _CERTIFICATE.findall(read_file(path, MAX_BYTES, follow=True))
        for block in blocks:
            x509.load_pem_x509_certificate(block)
    except (OSError, *UNUSABLE) as error:
        reason = getattr(error, "strerror", None) or "it contains a certificate that is damaged"
        raise UsageError(
            f"cannot read the certificates in {quote_value(path)}: {reason}; give a file with PEM certificates"
        ) from error
    if not blocks:
        raise UsageError(f"there is no certificate in {quote_value(path)}; give a file with PEM certificates")
    return b"".join(block if block.endswith(b"\n") else block + b"\n" for block in blocks)
