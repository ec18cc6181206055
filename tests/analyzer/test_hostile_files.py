"""A running analyzer whose document, profile or token becomes a FIFO, a device or a folder answers and reports it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.analyzer.test_http import TOKEN, served
from tests.support.waiting import eventually, patient

BAD: dict[str, Callable[[Path], None]] = {
    "fifo": os.mkfifo,
    "folder": lambda path: path.mkdir(),
    "endless": lambda path: path.symlink_to("/dev/zero"),
}
REPORTED = {"monitor.yaml": "the document changed", "profile.json": "profile's file changed", "token": "the token file"}


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", REPORTED)
async def test_a_file_that_cannot_be_read_is_reported_and_taken_again(name: str, bad: str, tmp_path: Path) -> None:
    async with served(tmp_path, token=name == "token") as here:
        path, kept, headers = tmp_path / name, tmp_path / "kept", {"Authorization": f"Bearer {TOKEN}"}
        path.rename(kept)
        BAD[bad](path)

        def warned() -> bool:
            return any(REPORTED[name] in warning for warning in here.app.report.warnings)

        await eventually(warned, what="the warning")
        for address in ("/metrics", "/healthz"):
            async with here.session.get(here.base + address) as answer:
                assert answer.status == 200
        async with here.session.get(here.base + "/report", headers=headers) as answer:
            assert answer.status == (401 if name == "token" else 200)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        shutil.copy(kept, path)
        await eventually(lambda: not warned(), what="the end of the warning")
        async with here.session.get(here.base + "/report", headers=headers) as answer:
            assert answer.status == 200


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_hanging_read_does_not_delay_the_look_at_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as here:
        began, looked = asyncio.Event(), list[int]()

        async def hang() -> bool:
            began.set()
            return await asyncio.Event().wait()

        def look(used: int, _limit: int) -> bool:
            looked.append(used)
            return False

        monkeypatch.setattr(here.app, "_document_changed", hang)
        monkeypatch.setattr("pilotfish.sidecar.analyzer.memory.near_limit", look)
        await asyncio.wait_for(began.wait(), patient(30))
        before = len(looked)
        await eventually(lambda: len(looked) > before + 1, what="two looks at the memory")
