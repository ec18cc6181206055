"""The command `pilotfish analyze`: the supervised analyzer of a pod. The proxy runs in another container of the pod."""

from __future__ import annotations

import argparse
from pathlib import Path

from .app import analyzer_command
from .arguments import (
    add_analyzer_arguments,
    add_control_arguments,
    check_analyzer_arguments,
    check_control_arguments,
    check_node_arguments,
    make_folder,
    render_flags,
)
from .restart_policy import ANALYZER
from .supervisor import supervise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish analyze`."""
    parser.add_argument("--shared", required=True, type=Path, metavar="DIR", help="folder shared with the proxy")
    add_analyzer_arguments(parser)
    add_control_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Supervise the analyzer process until a signal ends it; return 0."""
    check_analyzer_arguments(args)
    check_control_arguments(args)
    check_node_arguments(args)
    shared = make_folder(args.shared, "--shared")
    command = [*analyzer_command("analyze", args, shared), *render_flags(add_control_arguments, args)]
    return supervise("analyze", {ANALYZER: command})
