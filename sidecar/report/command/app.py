"""The role `pilotfish report`: show the report of a running sidecar or of a saved file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from ...errors import escape_unprintable
from ...system.addresses import ADMIN_ADDRESS
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
        help="of a running sidecar (default %(default)s)",
    )
    source.add_argument("--file", type=Path, metavar="FILE", help="read a report that --json saved, instead of --admin")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a file with the bearer token for --admin")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", type=Path, metavar="OUT", help="write one self-contained HTML page with charts")
    form.add_argument("--json", action="store_true", help="print report and timeline as JSON")
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
        raw = msgspec.json.encode(saved)
    else:
        report, windows = fetch_report(args.admin, args.token_file)
        saved = parse_report(report, windows, args.admin)
        raw = b'{"report":' + report + b',"windows":' + windows + b"}"
    _show(args, saved, raw)
    return 0


def _show(args: argparse.Namespace, saved: SavedReport, raw: bytes) -> None:
    if args.json:
        sys.stdout.write(msgspec.json.format(raw, indent=1).decode() + "\n")
    elif args.html is not None:
        size = write(args.html, page.render(saved.report, saved.timeline))
        print(f"{args.html}: {size:,} bytes", file=sys.stderr)
    else:
        for line in summary.lines(saved.report):
            print(escape_unprintable(line))
