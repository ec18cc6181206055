"""The whole demo, with every process real: it closes the loop, it can be interrupted, and it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Child, Children
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real

LONGEST = 120.0  # seconds that the demo may take


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of the running processes that have to do with `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        if f"TMPDIR={folder}".encode() in environment and "pilotfish" in command:
            found.append(command)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder for temporary files; tmp_path is too long for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="demo-") as made:
        yield Path(made)


def start(spawn: Children, folder: Path, cwd: Path, *arguments: str) -> Child:
    """Start a demo with its temporary files in `folder`, from a directory that has nothing to do with it."""
    command = (sys.executable, "-P", "-m", "pilotfish.sidecar.cli", "demo", *arguments)
    return spawn(*command, env={"TMPDIR": str(folder), "COLUMNS": "200"}, cwd=cwd)


def nothing_left(folder: Path) -> None:
    wait_until(lambda: not processes_in(folder), what="the end of the demo's processes")
    assert os.listdir(folder) == []


@pytest.mark.timeout(150)
def test_the_loop_closes_within_two_minutes(spawn: Children, folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "view.svg"
    demo = start(spawn, folder, tmp_path, "--picture", str(picture))
    wait_until(lambda: not demo.running(), timeout=LONGEST, what="the end of the demo")
    output = demo.output()
    assert demo.process.returncode == 0, output + demo.errors()
    assert "ALARM: distance" in output
    assert "ok  loop                 closed" in output
    assert "drifted" in picture.read_text()
    nothing_left(folder)


@pytest.mark.timeout(90)
def test_an_interrupted_demo_leaves_nothing_behind(spawn: Children, folder: Path, tmp_path: Path) -> None:
    demo = start(spawn, folder, tmp_path, "--plain")
    wait_until(lambda: "traffic starts" in demo.output(), timeout=60, what="traffic")
    demo.process.send_signal(signal.SIGINT)
    demo.process.send_signal(signal.SIGINT)
    wait_until(lambda: not demo.running(), timeout=30, what="the end of the demo")
    assert demo.process.returncode == 130
    assert "interrupted" in demo.output()
    nothing_left(folder)


@pytest.mark.timeout(90)
def test_a_killed_demo_takes_its_processes_with_it(spawn: Children, folder: Path, tmp_path: Path) -> None:
    demo = start(spawn, folder, tmp_path, "--plain")
    wait_until(lambda: "traffic starts" in demo.output(), timeout=60, what="traffic")
    demo.process.kill()
    wait_until(lambda: not processes_in(folder), timeout=60, what="the end of the demo's processes")
