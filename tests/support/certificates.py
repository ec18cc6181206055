"""Certificates of a test: an authority, and what it has signed for 127.0.0.1."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def openssl(command: str, folder: Path) -> None:
    """Run one command of openssl in `folder`; skip the test where there is none."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    subprocess.run(["openssl", *shlex.split(command)], cwd=folder, check=True, capture_output=True)


def create_authority(folder: Path, name: str = "ca") -> None:
    """Write `name.pem` and `name.key` of a new authority."""
    openssl(f"req -x509 {KEY} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem", folder)


def sign_server(folder: Path, name: str = "server", authority: str = "ca") -> None:
    """Write `name.pem` and `name.key` of a server at 127.0.0.1 and localhost."""
    names = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    openssl(f"req {KEY} -subj /CN=localhost {names} -keyout {name}.key -out {name}.csr", folder)
    signed = f"-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2 -copy_extensions copy"
    openssl(f"x509 -req -in {name}.csr {signed} -out {name}.pem", folder)
