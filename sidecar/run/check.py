"""The command `pilotfish check`: opens a document and the files that it names, and prints what `run` would report.

It starts nothing, connects to nothing and needs no HTTP library.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from ..analyzer.inspection import inspect
from ..control.webhook.files import file_problems
from ..errors import number
from ..settings.document import ModelMonitor
from ..settings.effective import budget_sentence, settings_in_force
from ..settings.environment import VARIABLES
from ..settings.errors import SettingsError
from ..terminal import show, show_error
from .engine import engine

INVALID_STATUS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish check`."""
    parser.add_argument("-f", "--file", type=Path, required=True, help="the ModelMonitor document, YAML or JSON")
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="check the document for use in a cluster, where its files may lie elsewhere",
    )


def run(args: argparse.Namespace) -> int:
    """Print the settings in force and the warnings, or all problems; return 0 without a problem, else 1."""
    try:
        found = inspect(args.file, engine, cluster=args.cluster)
    except SettingsError as error:
        return _refuse(error.where, [str(problem) for problem in error.problems])
    problems = [*found.problems, *file_problems(found.document.spec, args.file.parent, missing=not args.cluster)]
    if problems:
        return _refuse(str(args.file), problems)
    show(*_in_force(args.file, found.document))
    if found.warnings:
        show("", "warnings", *(f"  - {sentence}" for sentence in found.warnings))
    return 0


def _refuse(where: str, problems: list[str]) -> int:
    show_error(f"{where}: {number(len(problems), 'problem')}", *(f"  {problem}" for problem in problems))
    return INVALID_STATUS


def _in_force(path: Path, monitor: ModelMonitor) -> Iterator[str]:
    settings = settings_in_force(monitor)
    width = max(len(setting.path) for setting in settings)
    column = min(max(len(setting.value) for setting in settings), 40)
    yield f"{path}: in force ({', '.join(_variables()) or 'no environment variable is set'})"
    for setting in settings:
        note = "default" if setting.default else ""
        yield f"  {setting.path:<{width}}  {setting.value:<{column}}  {note}".rstrip()
    yield from ("", budget_sentence(monitor))


def _variables() -> list[str]:
    return [f"{name} is set" for name in VARIABLES if os.environ.get(name)]
