"""Programs that PyPI does not carry: their paths, and a skip that names the missing ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

SAID = Path(__file__).resolve().parents[2] / "build/prometheus"  # by .ci/prometheus: the folder of what it built
BUILT = SAID.read_text().strip() if SAID.exists() else ""
SYSTEM = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"  # where Debian puts servers, and not every user looks
SEARCH = f"{BUILT}:{SYSTEM}" if BUILT else SYSTEM


def find(name: str) -> str | None:
    """Return the path of a program, or None when it is not installed."""
    return shutil.which(name, path=SEARCH)


def missing(*names: str) -> list[str]:
    """Return those of the programs that are not installed."""
    return [name for name in names if find(name) is None]


def needs(*names: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test where one of the programs is missing, and says which."""
    absent = missing(*names)
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


def needs_built(name: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test where `.ci/prometheus` did not build the program: the system's may be too old."""
    built = bool(BUILT) and shutil.which(name, path=BUILT) is not None
    return pytest.mark.skipif(not built, reason=f"{name} is not built: `.ci/prometheus > build/prometheus`, with Go")
