"""The environment with real servers of models and real clients, which `make test-servers` makes."""

from __future__ import annotations

from pathlib import Path

import pytest

SAID = Path("build/servers")  # by .ci/environment


def servers_python() -> str:
    """Return its Python; skip the test, loudly, where there is none."""
    python = SAID.read_text().strip() if SAID.exists() else ""
    if not python or not Path(python).exists():
        pytest.skip("no environment with llama.cpp and MLServer; `.ci/environment servers > build/servers` makes it")
    return python
