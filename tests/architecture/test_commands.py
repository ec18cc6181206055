"""Every command is documented, and every generated file matches the code."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from tests import generate

ROOT = Path(__file__).resolve().parents[2]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield `parser` and those of its sub-commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action.choices.values():
                yield from parsers(choice)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_offers_what_the_table_promises(name: str) -> None:
    parser = cli.build_parser(name)
    assert parser.prog == f"pilotfish {name}"
    command = cli.COMMANDS[name]
    assert callable(importlib.import_module(command.module).run)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    documented = (ROOT / "docs/commands.md").read_text()
    for parser in parsers(cli.build_parser(name)):
        assert f"# {parser.prog}\n" in documented
        for action in parser._actions:
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                assert action.help, f"{parser.prog}: {action.option_strings or action.dest} has no help"
                assert all(option in documented for option in action.option_strings)


def test_generated_files_are_fresh() -> None:
    assert generate.stale() == {}
