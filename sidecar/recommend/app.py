"""The command `pilotfish recommend`. It only reads; it never changes a workload."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from ..errors import UsageError, quote_value
from ..kube.client import Kube
from ..kube.configuration import add_kubeconfig_arguments
from ..profiles.progress import show_progress
from ..settings.units import UNITS, read_duration
from ..system.files import replace_file, require_replaceable
from ..system.tokens import read_header_token
from ..terminal import show, show_document, show_error, show_json
from . import picture
from .advice import Advice
from .documents import as_json, as_patches
from .fitting import NamespaceRules, advise
from .gather import Gathered, gather
from .history import PrometheusServer
from .measure import Choice, Measured, measure
from .table import WIDTH, lines
from .workload import parse_workload

PARTIAL_STATUS = 1
MAX_DAYS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish recommend`."""
    add = parser.add_argument
    add("-n", "--namespace", required=True, metavar="NAME", help="namespace of the workloads")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--monitor", default="", metavar="NAME", help="only the workload of this ModelMonitor")
    which.add_argument(
        "--workload", default="", metavar="KIND/NAME",
        help="a workload with or without a ModelMonitor, such as deployment/delays",
    )  # fmt: skip
    add("--prometheus", metavar="URL", help="read the use from a Prometheus that scrapes cAdvisor")
    add("--days", type=float, default=8.0, metavar="N", help="days of its history (default %(default)g)")
    add("--token-file", type=Path, metavar="FILE", help="a file with the bearer token for --prometheus")
    add(
        "--for", dest="duration", metavar="DURATION",
        help="sample metrics.k8s.io for this time; without another source, the default is 5m",
    )  # fmt: skip
    add("--ignore-status", action="store_true", help="ignore the recommendation in the status of a ModelMonitor")
    add(
        "--output", choices=("table", "json", "yaml"), default="table",
        help="form of the result; yaml: patches for you to apply",
    )  # fmt: skip
    add(
        "--png", type=Path, metavar="OUT",
        help="also write a picture of the use beside the recommendation; needs the extra `plots`, and no status",
    )  # fmt: skip
    add_kubeconfig_arguments(parser, "(default: as kubectl)")


def run(args: argparse.Namespace) -> int:
    """Print the recommendations. Return 1 if something could not be read, or if nothing is known of a workload."""
    choice = _choice(args)
    target = parse_workload(args.workload) if args.workload else None
    if args.png is not None:
        _require_writable(args.png)

    async def measured() -> tuple[Gathered, Measured]:
        kube = await Kube.connect(args.kubeconfig, args.context)
        try:
            gathered = await gather(kube, args.namespace, args.monitor, target)
            with show_progress(Console(stderr=True)) as progress:
                return gathered, await measure(kube, gathered.workloads, choice, progress, show_error)
        finally:
            await kube.close()

    gathered, found = asyncio.run(measured())
    advices, problems = list(_advices(gathered, found)), [*gathered.problems, *found.problems]
    if problems:
        show_error(*problems)
    _print(args, advices, problems)
    if args.png is not None:
        raw = picture.render(advices, found.use)
        replace_file(args.png, raw)
        show_error(f"{args.png}: {len(raw):,} bytes")
    known = {one.workload.title for one in advices if one.recommended}
    return PARTIAL_STATUS if problems or len(known) < len(gathered.workloads) else 0


def _choice(args: argparse.Namespace) -> Choice:
    seconds = read_duration(args.duration) if args.duration else None
    if args.duration and not seconds:
        raise UsageError(f"--for {quote_value(args.duration)}: give {UNITS['duration'].wants}")
    if not 0 < args.days <= MAX_DAYS:
        raise UsageError(f"--days {args.days:g}: give more than 0 and at most {MAX_DAYS} days")
    if args.prometheus and seconds:
        raise UsageError("--prometheus and --for exclude each other; give the one to use")
    token = read_header_token(args.token_file) if args.token_file is not None else ""
    server = PrometheusServer(args.prometheus, token) if args.prometheus else None
    return Choice(server, args.days, seconds, args.ignore_status)


def _advices(gathered: Gathered, measured: Measured) -> Iterator[Advice]:
    rules = NamespaceRules(gathered.limit_ranges, gathered.quotas)
    for workload in gathered.workloads:
        for container in workload.containers():
            yield advise(workload, container, measured.found.get((workload.title, container.name)), rules)


def _print(args: argparse.Namespace, advices: Sequence[Advice], problems: Sequence[str]) -> None:
    if args.output == "json":
        show_json(as_json(advices, args.namespace, problems, time.time()))
    elif args.output == "yaml":
        show_document("---\n".join(as_patches(advices)))
    else:
        width = Console().width if sys.stdout.isatty() else WIDTH
        show(*lines(advices, width))


def _require_writable(path: Path) -> None:
    try:
        require_replaceable(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another path") from error
