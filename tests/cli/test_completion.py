"""Completion in a shell: what bash offers after a command line, and that zsh and fish can read their scripts."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pilotfish.sidecar import cli, completion
from tests.support.programs import find, needs
from tests.support.waiting import patient

PLACES = {place.path: place for place in completion.places()}


def script(shell: str) -> str:
    return "\n".join(completion.SHELLS[shell](tuple(PLACES.values()))) + "\n"


def ran(program: str, text: str, *more: str) -> str:
    done = subprocess.run(
        [program, *more], input=text, capture_output=True, text=True, timeout=patient(20), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def offered(*lines: str) -> list[list[str]]:
    """Return what bash offers for the last word of each line; a line that ends with a blank has an empty last word."""
    parts = [script("bash"), "compopt() { :; }"]
    for line in lines:
        words = [*shlex.split(line), ""] if line.endswith(" ") else shlex.split(line)
        words = [part for word in words for part in word.replace("=", "\0=\0").split("\0") if part or word == ""]
        parts.append(f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); _pilotfish")
        parts.append('printf "%s " "${COMPREPLY[@]}"; echo')
    return [line.split() for line in ran("bash", "\n".join(parts), "--norc", "-s").splitlines()]


def test_commands_options_and_values_are_offered(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").touch()
    (tmp_path / "state").mkdir()
    found = offered(
        "pilotfish ",
        "pilotfish pro",
        "pilotfish profile ",
        "pilotfish profile sh",
        "pilotfish run --log-l",
        "pilotfish run --log-level ",
        "pilotfish run --log-level=w",
        "pilotfish run --admin ",
        f"pilotfish check --file {tmp_path}/m",
        f"pilotfish check --file={tmp_path}/m",
        f"pilotfish run --state {tmp_path}/",
        f"pilotfish --help run --state {tmp_path}/s",
        f"pilotfish replay {tmp_path}/mon",
        "pilotfish completion ",
    )
    assert found[0] == [*cli.COMMANDS, "-h", "--help", "--version"]
    assert found[1:6] == [
        ["profile", "proxy"], ["build", "show", "diff", "-h", "--help"], ["show"], ["--log-level"],
        ["debug", "info", "warning", "error"],
    ]  # fmt: skip
    assert found[6:8] == [["warning"], []]
    assert found[8:10] == [[f"{tmp_path}/monitor.yaml"]] * 2
    assert found[10:12] == [[f"{tmp_path}/state"]] * 2
    assert found[12] == [f"{tmp_path}/monitor.yaml"]
    assert found[13][:3] == ["bash", "fish", "zsh"]


def test_every_option_of_every_command_is_offered() -> None:
    found = offered(*(f"pilotfish{path} -" for path in PLACES))
    for place, words in zip(PLACES.values(), found, strict=True):
        assert words == [name for option in place.options for name in option.names], place.path


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == script(shell).splitlines()
    assert printed.err == ""


def test_completion_is_loaded_by_no_other_command() -> None:
    code = "import sys; from pilotfish.sidecar import cli; cli.build_parser('proxy'); print(*sys.modules)"
    assert "pilotfish.sidecar.completion" not in ran(sys.executable, "", "-c", code).split()


@pytest.mark.real
@needs("zsh")
def test_zsh_offers_the_commands() -> None:
    zsh = find("zsh") or ""
    assert ran(zsh, script("zsh"), "-n") == ""
    shims = """
        autoload -Uz compinit; compinit -D 2>/dev/null
        _describe() { print -l -- ${(P)@[-1]}; }; _files() { print files; }; compadd() { print -- ${@[2,-1]}; }
    """
    lines = """
        words=(pilotfish profile ''); CURRENT=3; PREFIX=''; _pilotfish
        words=(pilotfish run --log-format ''); CURRENT=4; _pilotfish
    """
    out = ran(zsh, f"{shims}\n{script('zsh')}\n{lines}\n", "-f").splitlines()
    assert out[0].startswith("build:")
    assert out[-1] == "text json"


@pytest.mark.real
@needs("fish")
def test_fish_offers_the_commands(tmp_path: Path) -> None:
    (tmp_path / "c.fish").write_text(script("fish"))
    code = f"source {tmp_path}/c.fish; complete -C 'pilotfish profile '; complete -C 'pilotfish run --log-format '"
    done = subprocess.run(
        [find("fish") or "", "--no-config", "-c", code],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=patient(20), check=True,
    )  # fmt: skip
    words = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert words[:3] == ["build", "diff", "show"]
    assert words[-2:] == ["json", "text"]
