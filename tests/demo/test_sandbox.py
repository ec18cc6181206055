"""A demo leaves no file or process behind, and the error of a failed process has its last output."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from pilotfish.sidecar.demo.messages import ProcessFailure
from pilotfish.sidecar.demo.model import fit
from pilotfish.sidecar.demo.sandbox import DemoError, Sandbox, free_ports, short_parent
from tests.demo import made
from tests.support.waiting import patient


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def files_of(sandbox: Sandbox) -> tuple[Path, Path]:
    flights = made.flights(2)
    model = msgspec.json.encode(fit(flights.columns, flights.air_time))
    return sandbox.write("model.json", model), sandbox.write("token", "token")


@pytest.mark.asyncio
async def test_leaving_ends_the_processes_and_removes_the_folder() -> None:
    async with Sandbox() as sandbox:
        server = await sandbox.own("server", *files_of(sandbox))
        assert await server.port() > 0
        assert sandbox.folder.stat().st_mode & 0o077 == 0
        assert (sandbox.folder / "token").stat().st_mode & 0o077 == 0
    assert gone(server.process.pid)
    assert not sandbox.folder.exists()
    assert sandbox.messages.empty()


@pytest.mark.asyncio
async def test_a_process_that_cannot_start_is_named_with_its_last_words() -> None:
    async with Sandbox() as sandbox:
        server = await sandbox.own("server", sandbox.folder / "nowhere", sandbox.folder / "token")
        with pytest.raises(DemoError, match=r"the server ended with status 1; its last output: (?s:.*)nowhere"):
            await server.port()


@pytest.mark.asyncio
async def test_a_process_that_dies_later_becomes_a_problem() -> None:
    async with Sandbox() as sandbox:
        server = await sandbox.own("server", *files_of(sandbox))
        await server.port()
        server.process.kill()
        message = await asyncio.wait_for(sandbox.messages.get(), patient(10))
    assert isinstance(message, ProcessFailure)
    assert message.reason.startswith("the server ended with status -9")


def test_a_long_path_for_temporary_files_is_avoided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 60)))
    assert len(short_parent()) < 20


def test_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
