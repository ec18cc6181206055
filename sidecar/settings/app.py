"""The commands `pilotfish check` and `pilotfish schema`.

`check` uses the same entry point, `load`, as a running sidecar, so both accept the same documents.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import escape_unprintable
from .document import ModelMonitor
from .effective import budget_sentence, settings_in_force
from .environment import VARIABLES
from .errors import SettingsError
from .load import load
from .schema import json_schema
from .validation import find_warnings

INVALID_STATUS = 1


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish check`."""
    parser.add_argument("-f", "--file", type=Path, required=True, help="the ModelMonitor document, YAML or JSON")
    parser.add_argument("--cluster", action="store_true", help="check the document for use in a cluster")


def run_check(args: argparse.Namespace) -> int:
    """Print the settings in force, or all problems; return 0 if the document is valid, else 1."""
    try:
        monitor = load(args.file)
    except SettingsError as error:
        count = len(error.problems)
        print(f"{error.where}: {count} problem{'' if count == 1 else 's'}", file=sys.stderr)
        print(*(f"  {problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        return INVALID_STATUS
    print(*_in_force(args.file, monitor), sep="\n")
    warnings = [*find_warnings(monitor, cluster=args.cluster), *_missing_files(args.file.parent, monitor)]
    if warnings:
        print("\nwarnings", *(f"  - {sentence}" for sentence in warnings), sep="\n")
    return 0


def add_schema_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments: `pilotfish schema` has none."""


def run_schema(args: argparse.Namespace) -> int:
    """Print the JSON schema of the document."""
    del args
    print(schema_text(), end="")
    return 0


def schema_text() -> str:
    """Return the JSON schema as text, as printed and as committed in docs/."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _in_force(path: Path, monitor: ModelMonitor) -> Iterator[str]:
    settings = settings_in_force(monitor)
    width = max(len(setting.path) for setting in settings)
    column = min(max(len(setting.value) for setting in settings), 40)
    yield f"{path}: in force ({', '.join(_variables()) or 'no environment variable is set'})"
    for setting in settings:
        note = "default" if setting.default else ""
        yield escape_unprintable(f"  {setting.path:<{width}}  {setting.value:<{column}}  {note}".rstrip())
    yield f"\n{budget_sentence(monitor)}"


def _variables() -> list[str]:
    return [f"{name} is set" for name in VARIABLES if os.environ.get(name)]


def _missing_files(folder: Path, monitor: ModelMonitor) -> Iterator[str]:
    files = [(f"spec.profiles[{index}].path", source.path) for index, source in enumerate(monitor.spec.profiles)]
    if monitor.spec.retrain:
        files.append(("spec.retrain.webhook.secretFile", monitor.spec.retrain.webhook.secret_file))
    for path, name in files:
        if name is not None and not (folder / name).is_file():
            yield f"{path}: cannot find the file {folder / name} yet"
