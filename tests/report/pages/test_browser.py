"""A real browser draws the file and reports no violation of its policy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pilotfish.sidecar.report.pages import page
from tests.report.pages.made import both
from tests.support.waiting import patient

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--no-pdf-header-footer")


@pytest.mark.real
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_file_is_drawn_and_printed(tmp_path: Path) -> None:
    assert BROWSER is not None
    file, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    file.write_text(page.render(*both()))
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", f"--print-to-pdf={paper}", file.as_uri()],
        capture_output=True, text=True, timeout=patient(45), check=True,
    )  # fmt: skip
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 10_000
    assert "Refused" not in done.stderr
    assert "Content Security Policy" not in done.stderr
