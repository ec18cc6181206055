"""Every command is documented, and everything that is generated is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from tests import generate

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_offers_what_the_table_promises(name: str) -> None:
    parser = cli.build_parser(name)
    assert parser.prog == f"pilotfish {name}"
    assert callable(cli._lookup(cli.COMMANDS[name].module, cli.COMMANDS[name].run))


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    documented = (ROOT / "docs/commands.md").read_text()
    assert f"## pilotfish {name}\n" in documented
    for action in cli.build_parser(name)._actions:
        assert action.help, f"pilotfish {name}: {action.option_strings or action.dest} has no help"
        assert all(option in documented for option in action.option_strings)


def test_generated_files_are_fresh() -> None:
    assert generate.stale() == {}
