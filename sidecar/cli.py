"""The command `pilotfish`: a table of subcommands, each in a module of its own.

The module of a subcommand is imported only when that subcommand runs, so that the proxy never loads the statistics.
It has the functions `add_arguments(parser)` and `run(args) -> int`; the result of `run` is the exit status.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .errors import PilotfishError

USAGE_STATUS = 2


class Command(NamedTuple):
    """One subcommand: its line in the help, its module, and the names of the module's two functions."""

    help: str
    module: str
    add_arguments: str = "add_arguments"
    run: str = "run"


COMMANDS = {
    "analyze": Command("analyze the traffic that a proxy records", "pilotfish.sidecar.run.analyze"),
    "check": Command(
        "check a ModelMonitor document", "pilotfish.sidecar.settings.app", "add_check_arguments", "run_check"
    ),
    "demo": Command("run the closed loop on real data on this machine", "pilotfish.sidecar.demo.app"),
    "profile": Command("build, show and compare profiles of reference data", "pilotfish.sidecar.profiles.app"),
    "proxy": Command("relay a model's traffic, unaltered, and count it", "pilotfish.sidecar.proxy.app"),
    "replay": Command("run detection on stored rows", "pilotfish.sidecar.profiles.replay"),
    "report": Command("show the report of a running sidecar", "pilotfish.sidecar.report.command.app"),
    "run": Command("run proxy and analyzer together, for one model", "pilotfish.sidecar.run.app"),
    "schema": Command(
        "print the JSON schema of the ModelMonitor document",
        "pilotfish.sidecar.settings.app",
        "add_schema_arguments",
        "run_schema",
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand in `argv` (default: `sys.argv`) and return its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(overview(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else USAGE_STATUS
    if arguments[0] == "--version":
        print(f"pilotfish {version()}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        print(f"pilotfish: unknown command {name[:80]!r}; the commands are {', '.join(COMMANDS)}", file=sys.stderr)
        return USAGE_STATUS
    return _run(COMMANDS[name], build_parser(name).parse_args(rest))


def overview() -> str:
    """Return the text of `pilotfish --help`, with one line for each subcommand."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: pilotfish COMMAND [OPTION]...",
            "",
            "A sidecar that monitors the prediction traffic of a model server.",
            "",
            "commands:",
            *lines,
            "",
            "`pilotfish COMMAND --help` lists the options of a command; `pilotfish --version` prints the version.",
        ]
    )


def version() -> str:
    """Return the installed version."""
    from importlib.metadata import version as installed  # imports 60 modules, which the proxy does not need

    return installed("pilotfish")


def build_parser(name: str) -> argparse.ArgumentParser:
    """Import the module of the subcommand `name` and return its parser."""
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"pilotfish {name}", description=command.help, allow_abbrev=False)
    add_arguments: Callable[[argparse.ArgumentParser], None] = _lookup(command.module, command.add_arguments)
    add_arguments(parser)
    return parser


def _run(command: Command, args: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = _lookup(command.module, command.run)
    try:
        return run(args)
    except PilotfishError as error:
        print(f"pilotfish: {error}", file=sys.stderr)
        return USAGE_STATUS
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as a shell reports it


def _lookup(module: str, function: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


if __name__ == "__main__":
    sys.exit(main())
