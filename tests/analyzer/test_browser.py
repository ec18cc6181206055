"""A real browser shows the report page under the policy that the page is served with."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.analyzer.test_http import served
from tests.support.waiting import patient

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=2000")


@pytest.mark.real
@pytest.mark.asyncio
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
async def test_a_browser_shows_the_page_and_blocks_no_part_of_it(tmp_path: Path) -> None:
    assert BROWSER is not None
    async with served(tmp_path) as here:
        child = await asyncio.create_subprocess_exec(
            BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", here.base + "/report",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        shown, said = await asyncio.wait_for(child.communicate(), patient(45))
        await here.get("/healthz")
    assert b"Features" in shown
    assert b"no rows yet" in shown
    assert b"Refused" not in said
    assert b"Content Security Policy" not in said
