"""A standard output that cannot be written is one line and a status, in every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from tests.support.waiting import patient

PROGRAM = [sys.executable, "-m", "pilotfish.sidecar.cli"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("output")
    (found / "rows.csv").write_text("x,c\n" + "".join(f"{row % 17},{'ab'[row % 2]}\n" for row in range(400)))
    assert cli.main(["profile", "build", str(found / "rows.csv"), "--out", str(found / "p.json")]) == 0
    return found


BUILD = "profile build rows.csv --out p.json"
COMMANDS = [
    "--version",
    *(
        pytest.param(command, marks=pytest.mark.long)
        for command in (
            "--help",
            "profile build --help",
            "schema",
            BUILD,
            "profile diff p.json p.json",
            "profile show p.json",
            "replay rows.csv --profile p.json",
            "replay rows.csv --profile p.json --json",
        )
    ),
]


def run(command: str, folder: Path, unbuffered: str, **streams: object) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    ended = subprocess.run(  # type: ignore[call-overload]
        [*PROGRAM, *command.split()],
        **{"stderr": subprocess.PIPE, **streams},
        cwd=folder,
        env=environment,
        text=True,
        check=False,
        timeout=patient(60),
    )
    return ended.returncode, ended.stderr or ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line(command: str, unbuffered: str, folder: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        status, said = run(command, folder, unbuffered, stdout=full)
    assert (status, said.count("\n")) == (2, 1)
    assert "standard output cannot be written (No space left on device)" in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_ended_is_a_status(command: str, unbuffered: str, folder: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    found = run(command, folder, unbuffered, stdout=write_end)
    os.close(write_end)
    assert found == (141, "")


@pytest.mark.long
def test_a_full_standard_error_keeps_the_status(folder: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert run("profile show absent.json", folder, "", stdout=subprocess.DEVNULL, stderr=full)[0] == 2


@pytest.mark.long
def test_closed_streams_are_no_error(folder: Path) -> None:
    closed = subprocess.run(
        ["sh", "-c", f"{' '.join(PROGRAM)} --version >&- 2>&-"], cwd=folder, check=False, timeout=patient(60)
    )
    assert closed.returncode == 0
