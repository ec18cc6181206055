"""An object that cannot be read is left out, and named once."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.inject.server import kinds
from pilotfish.sidecar.inject.server.kinds import PARSED, trim
from pilotfish.sidecar.kube.objects import SERVICES


def test_an_object_that_cannot_be_read_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    kinds._report.cache_clear()
    odd = {"metadata": {"namespace": "shop", "name": "front", "uid": "1"}, "spec": "not an object"}
    for _ in range(2):
        assert trim(SERVICES)(odd)[PARSED] is None
    (line,) = caplog.messages
    assert line.startswith("services shop/front cannot be read (")
    assert line.endswith("so new pods are injected without it")
