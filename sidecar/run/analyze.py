"""The role `pilotfish analyze`: the analyzer of a pod, supervised; the proxy runs in a container of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from .app import member
from .arguments import add_member_arguments, make_folder
from .supervision import MEMBER
from .supervisor import supervise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish analyze`."""
    parser.add_argument("--shared", required=True, type=Path, metavar="DIR", help="folder shared with the proxy")
    add_member_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the member, again and again, until a signal ends it; return 0."""
    shared = make_folder(args.shared, "--shared")
    return supervise("analyze", {MEMBER: member("analyze", args, shared)})
