"""The environment with River and Evidently, which `make test-real` makes."""

from __future__ import annotations

from pathlib import Path

import pytest

SAID = Path("build/extras")  # by .ci/environment


def extras_python() -> str:
    """Return its Python; skip the test, loudly, where there is none."""
    python = SAID.read_text().strip() if SAID.exists() else ""
    if not python or not Path(python).exists():
        pytest.skip("no environment with River and Evidently; `.ci/environment extras > build/extras` makes it")
    return python
