"""The role `pilotfish report`: show the report of a running sidecar or of a saved file."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from ...system.addresses import ADMIN_ADDRESS
from ...terminal import show, show_error, show_json
from ..pages import page, summary
from ..pages.writing import write
from . import evidently
from .source import SavedReport, fetch_report, load_report, parse_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish report`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--admin",
        default=ADMIN_ADDRESS,
        metavar="HOST:PORT",
        help="admin address of a running sidecar (default %(default)s)",
    )
    source.add_argument("--file", type=Path, metavar="FILE", help="read a report that --json saved, instead of --admin")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a file with the bearer token for --admin")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", type=Path, metavar="OUT", help="write one self-contained HTML page with charts")
    form.add_argument("--json", action="store_true", help="print report and timeline as JSON")
    form.add_argument("--all", action="store_true", help="list every column, its derived features, and all relations")
    form.add_argument(
        "--evidently", type=Path, metavar="OUT", help="write Evidently's report on reference and recent rows"
    )
    evidently.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show the report and return the exit status."""
    if args.evidently is not None:
        return evidently.run(args)
    if args.file is not None:
        saved = load_report(args.file)
    else:
        saved = parse_report(*fetch_report(args.admin, args.token_file), args.admin)
    _show(args, saved)
    return 0


def _show(args: argparse.Namespace, saved: SavedReport) -> None:
    if args.json:
        show_json(msgspec.json.format(msgspec.json.encode(saved), indent=1).decode())
    elif args.html is not None:
        size = write(args.html, page.render(saved.report, saved.timeline))
        show_error(f"{args.html}: {size:,} bytes")
    else:
        show(*summary.lines(saved.report, everything=args.all))
