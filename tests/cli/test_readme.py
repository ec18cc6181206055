"""The commands and documents in the README are valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.settings.load import parse

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line.startswith("pilotfish ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_parse(line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    cli.build_parser(name).parse_args(arguments)


@pytest.mark.parametrize("document", [text for kind, text in BLOCKS if kind == "yaml"])
def test_documents_are_valid(document: str) -> None:
    assert parse(document.encode(), "README.md", {}).kind == "ModelMonitor"


def test_the_document_is_the_one_of_the_example() -> None:
    (document,) = [text for kind, text in BLOCKS if kind == "yaml"]
    assert document == (ROOT / "docs/examples/fastapi/monitor.yaml").read_text()
