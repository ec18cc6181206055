"""Settings of all tests of the controller's server."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.serving import server


@pytest.fixture(autouse=True)
def _short_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.05)
