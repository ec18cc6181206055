"""No text of a server or a file controls the terminal, on any stream and in any form."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar import cli, terminal
from pilotfish.sidecar.errors import UsageError

HOSTILE = "\x1b]0;title\x07\x1b[31mred\x9b2J\u202e\u2028\x7f"


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_has_the_same_value_and_nothing_that_cannot_be_shown(value: object) -> None:
    text = terminal.escape_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable()


def test_an_error_of_any_command_is_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise UsageError(f"a server sent {HOSTILE}\nand more")

    monkeypatch.setattr("pilotfish.sidecar.report.command.app.run", fail)
    assert cli.main(["report"]) == 2
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert found.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "words", [[HOSTILE], ["report", f"--{HOSTILE}"], ["profile", HOSTILE], ["check", "-f", HOSTILE]]
)
def test_a_hostile_command_line_is_escaped(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = cli.main(words)
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    assert status in {1, 2}
    assert capsys.readouterr().err.replace("\n", "").isprintable()


@pytest.mark.parametrize("terminal_", [False, True])
def test_a_document_keeps_its_bytes_except_on_a_terminal(terminal_: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    monkeypatch.setattr(out, "isatty", lambda: terminal_)
    monkeypatch.setattr(sys, "stdout", out)
    terminal.show_document(f"a: é\r\nb: {HOSTILE}\n")
    expected = f"a: é\r\nb: {HOSTILE}\n".encode()
    assert (raw.getvalue() == expected) is not terminal_
    assert (b"\x1b" in raw.getvalue()) is not terminal_


@pytest.mark.parametrize("line", ["Zoë …", "\udcff", HOSTILE])
def test_a_terminal_without_unicode_shows_escapes(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    terminal.prepare()
    terminal.show(line)
    assert raw.getvalue().isascii()
