"""No command waits for a FIFO, reads a device without end, or shows a traceback for a folder in place of a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.errors import PilotfishError
from pilotfish.sidecar.profiles.files import write_profile
from pilotfish.sidecar.report.pages.writing import write as write_page
from tests.analyzer.made import profile as made_profile

DOCUMENT = """\
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  profiles: [{path: profile.json}]
  retrain: {webhook: {url: "http://127.0.0.1:1/", secretFile: secret}}
"""


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


BAD: dict[str, Callable[[Path], None]] = {
    "fifo": os.mkfifo,
    "folder": lambda path: path.mkdir(),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "loop": lambda path: path.symlink_to(path),
    "huge": huge,
    "socket": lambda path: os.mknod(path, 0o140600),
    "absent": lambda path: None,
}
SCALED = str(Path(__file__).resolve().parents[2] / "docs/examples/scaling/monitor.yaml")
COMMANDS = {
    "build": ("profile", "build", "BAD", "--out", "out.json"),
    "show": ("profile", "show", "BAD"),
    "diff": ("profile", "diff", "BAD", "BAD"),
    "replay": ("replay", "x.csv", "--profile", "BAD"),
    "report": ("report", "--file", "BAD"),
    "token": ("report", "--admin", "127.0.0.1:1", "--token-file", "BAD"),
    "document": ("check", "--file", "BAD"),
    "load": ("simulate", "--monitor", SCALED, "--trace", "BAD"),
    "monitor": ("simulate", "--monitor", "BAD", "--trace", "x.csv"),
    "run": ("run", "--listen", "127.0.0.1:1", "--upstream", "127.0.0.1:2", "--token-file", "BAD"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("command", [*COMMANDS, pytest.param("reference", marks=pytest.mark.long)])
def test_a_command_refuses_what_is_not_a_file(
    command: str, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a\n1\n")
    BAD[bad](tmp_path / "bad")
    reference = ("report", "--evidently", "out.html", "--rows", "x.csv", "--reference", "BAD")
    words = ["bad" if word == "BAD" else word for word in COMMANDS.get(command, reference)]
    assert cli.main(words) in {1, 2}
    found = capsys.readouterr().err
    assert "bad" in found
    assert "Traceback" not in found


@pytest.mark.parametrize("bad", [name for name in BAD if name != "absent"])
def test_check_reports_a_profile_or_secret_that_is_not_a_file(
    bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "monitor.yaml"
    document.write_text(DOCUMENT)
    for name in ("profile.json", "secret"):
        BAD[bad](tmp_path / name)
    assert cli.main(["check", "--file", str(document)]) == 1
    found = capsys.readouterr().err
    assert "profile.json" in found
    assert "secret" in found


@pytest.mark.parametrize("bad", ["fifo", "folder", "endless"])
@pytest.mark.parametrize("write", [partial(write_page, document="x"), partial(write_profile, profile=made_profile())])
def test_an_output_never_replaces_what_is_not_a_file(write: Callable[[Path], int], bad: str, tmp_path: Path) -> None:
    BAD[bad](tmp_path / "out")
    before = os.lstat(tmp_path / "out").st_ino
    with pytest.raises(PilotfishError, match="not a regular file"):
        write(tmp_path / "out")
    assert os.lstat(tmp_path / "out").st_ino == before


def test_a_file_behind_a_link_is_read_as_in_a_config_map(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "monitor.yaml").write_text(
        "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: m}\nspec: {}\n"
    )
    (tmp_path / "monitor.yaml").symlink_to("..data/monitor.yaml")
    assert cli.main(["check", "--file", str(tmp_path / "monitor.yaml")]) == 0
