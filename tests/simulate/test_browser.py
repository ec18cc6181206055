"""A real browser draws the page of a simulation and reports no violation of its policy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.simulate.test_command import HOUR, simulate
from tests.support.waiting import patient

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1200,1300")


@pytest.mark.real
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_page_is_drawn(tmp_path: Path) -> None:
    assert BROWSER is not None
    trace, page, shot = tmp_path / "load.csv", tmp_path / "out.html", tmp_path / "out.png"
    trace.write_text(HOUR)
    assert simulate("--trace", trace, "--html", page) == 0
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", f"--screenshot={shot}", page.as_uri()],
        capture_output=True, text=True, timeout=patient(45), check=True,
    )  # fmt: skip
    assert shot.stat().st_size > 20_000
    assert "Refused" not in done.stderr
    assert "Content Security Policy" not in done.stderr
