"""The command `pilotfish`: a table of subcommands, each in a module of its own.

The module of a subcommand is imported only when that subcommand runs, so that the proxy never loads the statistics.
It has the functions `add_arguments(parser)` and `run(args) -> int`; the result of `run` is the exit status.
Long-running commands log to standard error, and also take each of their options from the environment.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, NoReturn

from . import log
from .errors import PilotfishError, quote_value
from .settings import options
from .system.limits import available_memory, within_memory
from .terminal import ClosedOutputError, OutputError, checked_output, prepare, show, show_error

USAGE_STATUS = 2
CLOSED_OUTPUT_STATUS = 141  # 128 + SIGPIPE, as a shell reports it


class Command(NamedTuple):
    """One subcommand: its line in the help, and its module.

    `variables` lists the options that environment variables may set; None stands for all. With `logs`, the command is
    long-running and writes its errors to the log. A command that `reads` files of users may use the memory that is
    available, so that an error ends it and not the kernel.
    """

    help: str
    module: str
    variables: Collection[str] | None = ()
    logs: bool = False
    reads: bool = False


COMMANDS = {
    "analyze": Command(
        "analyze the traffic that a proxy records", "pilotfish.sidecar.run.analyze", variables=None, logs=True
    ),
    "check": Command(
        "check a ModelMonitor document and the files that it names",
        "pilotfish.sidecar.run.check",
        variables=("--file",),
        reads=True,
    ),
    "completion": Command("print a script that completes command lines in a shell", "pilotfish.sidecar.completion"),
    "control": Command(
        "detect drift over all pods of the models of a cluster; retrain, scale and resize them",
        "pilotfish.sidecar.control.manager.app",
        variables=None,
        logs=True,
    ),
    "dashboards": Command(
        "list the Grafana dashboards, write them to files, or push them", "pilotfish.sidecar.dashboards.app"
    ),
    "demo": Command("show drift, alarm and retraining on real data, on this machine", "pilotfish.sidecar.demo.app"),
    "doctor": Command("check an installation in a cluster, and print remedies", "pilotfish.sidecar.doctor.app"),
    "inject": Command("add the sidecars to workloads in files", "pilotfish.sidecar.inject.offline.app", reads=True),
    "injector": Command(
        "add the sidecars to pods of a cluster when they are created",
        "pilotfish.sidecar.inject.server.app",
        variables=None,
        logs=True,
    ),
    "manifests": Command(
        "print the manifests of an installation, without Helm", "pilotfish.sidecar.inject.offline.manifests"
    ),
    "node": Command(
        "serve the pods of a node their use of its GPUs, CPUs and memory",
        "pilotfish.sidecar.node.app",
        variables=None,
        logs=True,
    ),
    "profile": Command(
        "build, show and compare profiles of reference data", "pilotfish.sidecar.profiles.app", reads=True
    ),
    "proxy": Command(
        "relay the traffic of a model unchanged, and count it", "pilotfish.sidecar.proxy.app", variables=None, logs=True
    ),
    "recommend": Command(
        "recommend requests and limits that fit the real use of containers",
        "pilotfish.sidecar.recommend.app",
        variables=("--prometheus", "--token-file"),
    ),
    "replay": Command("run detection on stored rows", "pilotfish.sidecar.profiles.replay", reads=True),
    "report": Command(
        "show the report of a running sidecar",
        "pilotfish.sidecar.report.command.app",
        variables=("--admin", "--token-file"),
        reads=True,
    ),
    "run": Command(
        "run proxy and analyzer together, for one model", "pilotfish.sidecar.run.app", variables=None, logs=True
    ),
    "schema": Command(
        "print the JSON schema of the ModelMonitor document",
        "pilotfish.sidecar.settings.app",
    ),
    "simulate": Command(
        "simulate scaling or resizing of a document with a recorded load, beside an HPA or VPA",
        "pilotfish.sidecar.simulate.app",
        reads=True,
    ),
    "top": Command(
        "show models, their traffic and their cost, live", "pilotfish.sidecar.top.app", variables=("--token-file",)
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand in `argv` (default: `sys.argv`) and return its exit status."""
    prepare()
    try:
        with checked_output():
            return _main(sys.argv[1:] if argv is None else list(argv))
    except ClosedOutputError:
        return CLOSED_OUTPUT_STATUS
    except OutputError as error:
        show_error(f"pilotfish: {error}")
        return USAGE_STATUS


def _main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        (show if arguments else show_error)(*overview().splitlines())
        return 0 if arguments else USAGE_STATUS
    if arguments[0] == "--version":
        show(f"pilotfish {version()}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        near = _closest(name, COMMANDS)
        hint = f"did you mean {near}? " if near else ""
        known = ", ".join(COMMANDS)
        show_error(f"pilotfish: unknown command {quote_value(name)}; {hint}the commands are {known}")
        return USAGE_STATUS
    return _run(name, rest, os.environ)


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


class CommandParser(argparse.ArgumentParser):
    """A parser of the words `given`. It writes its errors to the logger `logger`, if it has one.

    `unknown` has a sentence for each environment variable that sets nothing.
    """

    logger: logging.Logger | None = None
    given: Sequence[str] = ()
    unknown: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """End the process with USAGE_STATUS and the reason."""
        text = "; ".join((message, *self._suggestions(), *self.unknown, f"`{self.prog} --help` lists the options"))
        if self.logger is not None:
            self.logger.error("%s", text)
        else:
            show_error(f"{self.prog}: {log.escape_line(text)}")
        sys.exit(USAGE_STATUS)

    def _suggestions(self) -> Iterator[str]:
        known = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        for word in self.given:
            flag = word.partition("=")[0]
            near = _closest(flag, known) if flag.startswith("--") and flag not in known else ""
            if near:
                yield f"{flag} is not an option, did you mean {near}?"


def build_parser(name: str) -> CommandParser:
    """Import the module of the subcommand `name` and return its parser."""
    command = COMMANDS[name]
    parser = CommandParser(prog=f"pilotfish {name}", description=command.help, allow_abbrev=False)
    add_arguments: Callable[[argparse.ArgumentParser], None] = _lookup(command.module, "add_arguments")
    add_arguments(parser)
    if command.variables is None:
        parser.epilog = (
            "Each option can also be set by an environment variable, such as --log-format by PILOTFISH_LOG_FORMAT. "
            "The command line wins. Values of an option that can be repeated are separated by commas or spaces."
        )
    return parser


def _run(name: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    command, parser, logger = COMMANDS[name], build_parser(name), logging.getLogger(f"pilotfish.{name}")
    parser.given = arguments
    if command.logs:  # errors of the command line have the format that it asks for
        parser.logger = logger
        log.set_up("json" if log.wants_json(arguments, environ) else "text")
        parser.unknown = options.unknown_variables(environ, options.options_of(parser), _variables_of_all)
    args, given = options.parse(parser, arguments, environ, command.variables)
    if command.logs:
        log.set_up(args.log_format, args.log_level)
        for sentence in parser.unknown:
            logger.warning("%s", sentence)
    run: Callable[[argparse.Namespace], int] = _lookup(command.module, "run")
    try:
        with within_memory(available_memory()) if command.reads else nullcontext():  # its libraries are loaded
            return run(args)
    except OutputError:
        raise
    except PilotfishError as error:
        _report_error(given.explain(str(error)), logger if command.logs else None)
        return USAGE_STATUS
    except MemoryError:
        _report_error("not enough memory: all that is available was used; give smaller files", None)
        return USAGE_STATUS
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as a shell reports it


def _closest(word: str, known: Collection[str]) -> str:
    """Return the most similar one of the `known` words, empty if none is similar."""
    from difflib import get_close_matches  # only needed for an error

    return "".join(get_close_matches(word, known, 1, 0.6))


def _report_error(text: str, logger: logging.Logger | None) -> None:
    if logger is not None:
        logger.error("%s", text)
    else:
        show_error(f"pilotfish: {log.escape_line(text)}")


def _variables_of_all() -> set[str]:
    """Return the variables of the options of all long-running commands."""
    names = [name for name, command in COMMANDS.items() if command.logs]
    return {variable for name in names for variable in options.options_of(build_parser(name))}


def _lookup(module: str, function: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


if __name__ == "__main__":
    sys.exit(main())
