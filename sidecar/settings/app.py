"""The command `pilotfish schema`."""

from __future__ import annotations

import argparse
import json

from ..terminal import show
from .schema import json_schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments: `pilotfish schema` has none."""


def run(args: argparse.Namespace) -> int:
    """Print the JSON schema of the document."""
    del args
    show(*schema_text().splitlines())
    return 0


def schema_text() -> str:
    """Return the JSON schema as text, as printed and as committed in docs/."""
    return json.dumps(json_schema(), indent=2) + "\n"
