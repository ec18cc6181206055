"""The command `pilotfish top`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from ..errors import UsageError
from ..kube.client import Kube
from ..kube.configuration import add_kubeconfig_arguments
from ..system.addresses import ADMIN_ADDRESS
from ..terminal import show, show_error, show_json
from .history import TopSnapshot
from .live import collect, run_live
from .namespace import NamespaceSource
from .rows import SPLITS, Row, rows
from .sidecars import SidecarSource, parse_url
from .source import Source
from .table import table
from .view import SORT_NAMES, TableView, shown

RELEASE_NAMESPACE = "pilotfish-system"
WIDE = 400  # columns of a table that no terminal shows
SHORTEST, LONGEST = 0.5, 60.0  # seconds between two rounds
PARTIAL_STATUS, NOTHING_STATUS = 1, 2
NOTHING = "there is no ModelMonitor, and no running pod with a sidecar; check the name of the namespace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish top`."""
    add = parser.add_argument
    add(
        "urls", nargs="*", metavar="URL",
        help=f"admin addresses of sidecars, such as http://127.0.0.1:9797 (default {ADMIN_ADDRESS})",
    )  # fmt: skip
    add("--token-file", type=Path, metavar="FILE", help="a file with the bearer token of the admin addresses")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", default="", metavar="NAME", help="show the models of a namespace")
    where.add_argument("-A", "--all-namespaces", action="store_true", help="show the models of all namespaces")
    add_kubeconfig_arguments(parser, "(default: as kubectl)")
    add(
        "--release-namespace", default=RELEASE_NAMESPACE, metavar="NAME",
        help="namespace of the controller (default %(default)s)",
    )  # fmt: skip
    add("--split", choices=SPLITS, default="model", help="what a row is (default %(default)s)")
    add("--sort", choices=SORT_NAMES, default="requests", help="column to sort by (default %(default)s)")
    add("--reverse", action="store_true", help="sort in the other direction")
    add("--filter", default="", metavar="WORDS", help="show rows whose names or state contain each word")
    add(
        "--interval", type=float, default=2.0, metavar="SECONDS",
        help="between two rounds, 0.5 to 60 (default %(default)s)",
    )  # fmt: skip
    add("--once", action="store_true", help="print one table, from two rounds, and exit; needs no terminal")
    add("--output", choices=("table", "json"), default="table", help="json: print one document and exit")


def run(args: argparse.Namespace) -> int:
    """Show the table. With --once or JSON, return 1 if a source did not answer, 2 if none did."""
    if not SHORTEST <= args.interval <= LONGEST:
        raise UsageError(f"--interval {args.interval:g}: out of range; give {SHORTEST:g} to {LONGEST:g} seconds")
    in_cluster = bool(args.namespace or args.all_namespaces)
    if in_cluster and args.urls:
        raise UsageError("URL and --namespace exclude each other; give the address of a sidecar, or a namespace")
    view = TableView(args.split, args.sort, args.reverse, args.filter)
    console = Console()
    plain = args.once or args.output == "json" or not console.is_terminal or console.is_dumb_terminal
    return asyncio.run(_run(args, view, None if plain else console))


async def _run(args: argparse.Namespace, view: TableView, console: Console | None) -> int:
    source = await _source(args)
    try:
        if console is not None:
            return await run_live(source, view, args.interval, console)
        snapshot = (await collect(source, args.interval)).snapshot(time.monotonic())
    finally:
        await source.close()
    found = shown(rows(snapshot, view.split), view)
    for problem in problems(snapshot) or ([NOTHING] if not snapshot.sources and not snapshot.monitors else []):
        show_error(problem)
    if args.output == "json":
        show_json(as_json(found, snapshot))
    else:
        show(*text_lines(found, Console().width if sys.stdout.isatty() else WIDE))
    return _status(snapshot)


async def _source(args: argparse.Namespace) -> Source:
    if args.namespace or args.all_namespaces:
        kube = await Kube.connect(args.kubeconfig, args.context)
        return NamespaceSource(kube, args.namespace, args.release_namespace)
    return SidecarSource([parse_url(url) for url in args.urls or [ADMIN_ADDRESS]], args.token_file)


def text_lines(found: list[Row], width: int) -> list[str]:
    """Return the table as lines of at most `width` cells, without colour."""
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(table(found, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def as_json(found: list[Row], snapshot: TopSnapshot) -> str:
    """Return rows and problems as JSON; figures that are not known are null."""
    document = {"at": time.time(), "rows": found, "problems": problems(snapshot)}
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def problems(snapshot: TopSnapshot) -> list[str]:
    """Return what could not be read, in sentences."""
    silent = [state.problem for state in snapshot.sources.values() if state.problem and state.age is not None]
    return [*snapshot.problems, *silent]


def _status(snapshot: TopSnapshot) -> int:
    silent = [state.age is not None for state in snapshot.sources.values()]
    if snapshot.age is not None or (silent and all(silent)):
        return NOTHING_STATUS
    return PARTIAL_STATUS if snapshot.problems or any(silent) else 0
