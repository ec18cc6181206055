"""The command line: its help, its table of subcommands, and its errors."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from pilotfish.sidecar import cli
from tests.support.waiting import patient


def test_help_has_one_line_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in cli.COMMANDS:
        assert sum(line.startswith(f"  {name} ") for line in lines) == 1


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.USAGE_STATUS
    assert "commands:" in capsys.readouterr().err


def test_an_unknown_command_lists_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prxy"]) == cli.USAGE_STATUS
    said = capsys.readouterr().err
    assert "'prxy'" in said
    assert ", ".join(sorted(cli.COMMANDS)) in said


def test_an_unknown_command_or_option_names_the_closest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rnu"]) == cli.USAGE_STATUS
    assert "did you mean run?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main(["report", "--htm=out.html"])
    assert ended.value.code == cli.USAGE_STATUS
    said = capsys.readouterr().err
    assert "--htm is not an option, did you mean --html?" in said
    assert said.count("\n") == 1


def test_an_error_of_the_options_names_variables_that_set_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTFISH_UPSTRAEM", "127.0.0.1:8000")
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "--listen", "127.0.0.1:8080"])
    assert ended.value.code == cli.USAGE_STATUS
    said = capsys.readouterr().err
    assert "--upstream" in said
    assert "'PILOTFISH_UPSTRAEM' sets nothing; did you mean PILOTFISH_UPSTREAM?" in said


def test_a_report_takes_its_address_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTFISH_ADMIN", "nonsense")
    monkeypatch.setenv("PILOTFISH_FILE", "monitor.yaml")  # of `run`; for `report`, --file is a saved report
    assert cli.main(["report"]) == cli.USAGE_STATUS
    said = capsys.readouterr().err
    assert "--admin 'nonsense'" in said
    assert "--admin is set by PILOTFISH_ADMIN" in said


def test_a_reader_that_ends_early_ends_the_command_without_a_traceback() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    program = [sys.executable, "-m", "pilotfish.sidecar.cli", "schema"]
    ended = subprocess.run(program, stdout=write_end, stderr=subprocess.PIPE, check=False, timeout=patient(30))
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pilotfish {cli.version()}\n"


def test_the_table_is_alphabetical() -> None:
    assert list(cli.COMMANDS) == sorted(cli.COMMANDS)


@pytest.mark.parametrize("words", [("--file", "a\x1b[2J\nb"), ("--a\x1b[2J\nb",), ("--admin", "a\x1b[2J\nb\u202e:1")])
def test_an_error_is_one_printable_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        cli.main(["report", *words])
    shown = capsys.readouterr().err
    assert shown.endswith("\n")
    assert shown[:-1].isprintable()
