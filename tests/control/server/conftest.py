"""Settings of all tests of the controller's server."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.control.manager.server import views
from pilotfish.sidecar.serving import server


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "HOLD_SECONDS", 0.05)
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.05)
