"""A demo that fails on a machine with other work says so."""

from __future__ import annotations

import argparse
import os

import pytest

from pilotfish.sidecar.demo import app
from pilotfish.sidecar.demo.sandbox import DemoError


async def _failing(*_: object) -> int:
    raise DemoError("the server was not ready within 30 s")


@pytest.mark.parametrize(("load", "hint"), [(4.1, True), (0.5, False)])
def test_the_error_says_whether_other_programs_keep_the_machine_busy(
    load: float, hint: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "_interruptible", _failing)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    assert app.run(argparse.Namespace(picture=None)) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "the demo failed: the server was not ready within 30 s" in text
    assert ("load average 4, cores: 2" in text) is hint
