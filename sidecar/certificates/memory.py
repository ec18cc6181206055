"""A TLS context from a certificate in memory. The ssl module reads files only, so the file has no name and no disk."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from ..serving.tls import TlsFiles, load_context
from .issuing import ServingCertificate


def context_of(serving: ServingCertificate) -> ssl.SSLContext:
    """Return the context of a server with this certificate."""
    descriptor = os.memfd_create("pilotfish-serving", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(serving.certificate + serving.key)
        path = Path(f"/proc/self/fd/{descriptor}")
        return load_context(TlsFiles(path, path))
    finally:
        os.close(descriptor)
