"""The command `pilotfish dashboards` with its actions export, list and push."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError, quote_value
from ..settings.units import read_duration
from ..system.files import replace_file, require_replaceable
from ..system.tokens import read_header_token
from ..terminal import show
from .client import GrafanaHttp
from .files import DashboardFile, load
from .push import push

FOLDER = "Pilotfish"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish dashboards`."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = commands.add_parser("export", help="write dashboards to files", allow_abbrev=False)
    one.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="an existing folder for the JSON files")
    _add_names(one)
    commands.add_parser("list", help="list the dashboards", allow_abbrev=False)
    one = commands.add_parser("push", help="write dashboards into a Grafana by its HTTP API", allow_abbrev=False)
    one.add_argument("--url", required=True, metavar="URL", help="address of Grafana, such as https://grafana.example")
    one.add_argument(
        "--token-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="a file with the token of a service account that has the role Editor",
    )
    one.add_argument(
        "--folder",
        default=FOLDER,
        metavar="TITLE",
        help="folder at the top level, created if missing; empty for none (default %(default)s)",
    )
    one.add_argument("--ca", type=Path, metavar="FILE", help="PEM file with the authority of Grafana's certificate")
    one.add_argument("--timeout", default="30s", metavar="DURATION", help="limit of one request (default %(default)s)")
    one.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    _add_names(one)


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="dashboards, as `list` shows them (default: all)")


def run(args: argparse.Namespace) -> int:
    """Run one action and return the exit status."""
    if args.action == "list":
        _list()
    elif args.action == "export":
        _export(load(args.names), args.out)
    else:
        _push(args, load(args.names))
    return 0


def _list() -> None:
    files = load()
    width = max(len(file.name) for file in files)
    for file in files:
        show(f"{file.name:<{width}}  {file.content['title']}: {file.content['description']}")


def _export(files: tuple[DashboardFile, ...], folder: Path) -> None:
    for file in files:
        path = folder / f"{file.name}.json"
        try:
            require_replaceable(path)
            replace_file(path, file.text.encode())
        except OSError as error:
            raise UsageError(
                f"{quote_value(path)}: cannot be written ({error.strerror}); give an existing folder by --out"
            ) from error
        show(f"wrote {path}")


def _push(args: argparse.Namespace, files: tuple[DashboardFile, ...]) -> None:
    if args.ca is not None and not args.ca.is_file():
        raise UsageError(f"--ca {quote_value(args.ca)}: is not a file; give a PEM file")
    timeout = read_duration(args.timeout)
    if not timeout:
        raise UsageError(f"--timeout {quote_value(args.timeout)}: is not a duration; give one such as 30s")
    server = GrafanaHttp(args.url, read_header_token(args.token_file), args.ca, timeout)
    done = "would " if args.dry_run else ""
    for step in push(server, files, args.folder, dry_run=args.dry_run):
        show(f"{done}{step.verb:<7}  {step.what}  {step.detail}".rstrip())
