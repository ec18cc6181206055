"""Two self-signed certificates for 127.0.0.1, with their keys. They protect nothing; they serve tests only."""

from __future__ import annotations

import ssl
from pathlib import Path

FOLDER = Path(__file__).parent
ONE = (FOLDER / "one.crt", FOLDER / "one.key")
OTHER = (FOLDER / "other.crt", FOLDER / "other.key")


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return the context of a client that trusts `certificate` only."""
    return ssl.create_default_context(cafile=str(certificate))
