"""The command `pilotfish schema`."""

from __future__ import annotations

import argparse
import json

from ..terminal import show
from .schema import json_schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish schema`."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--crd", action="store_true", help="print the CustomResourceDefinition for a cluster")
    form.add_argument(
        "--policy", action="store_true", help="print the admission policy that checks the rights of authors"
    )


def run(args: argparse.Namespace) -> int:
    """Print the JSON schema of the document, or what a cluster needs for it."""
    if args.crd:
        from .crd import crd_text

        text = crd_text()
    elif args.policy:
        from .author import policy_text

        text = policy_text()
    else:
        text = schema_text()
    show(*text.splitlines())
    return 0


def schema_text() -> str:
    """Return the JSON schema as text, as printed and as committed in docs/."""
    return json.dumps(json_schema(), indent=2) + "\n"
