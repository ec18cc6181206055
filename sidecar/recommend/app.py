"""The command `pilotfish recommend`. It only reads; it never changes a workload."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from ..errors import UsageError, quote_value
from ..kube.client import Kube
from ..kube.configuration import add_kubeconfig_arguments
from ..profiles.progress import show_progress
from ..settings.units import UNITS, read_duration
from ..system.tokens import read_header_token
from ..terminal import show, show_document, show_error, show_json
from .advice import Advice
from .compute import ContainerHistory
from .documents import as_json, as_patches
from .fitting import NamespaceRules, advise
from .gather import Gathered, gather
from .history import PrometheusServer, read_history
from .recommended import ContainerRecommendation, Source, from_status
from .sampling import sample
from .table import WIDTH, lines
from .workload import MeasuredWorkload, parse_workload

PARTIAL_STATUS = 1
SAMPLED = "5m"
MAX_DAYS = 100
Progress = Callable[[str, float], None]
Key = tuple[str, str]  # title of a workload, container
Found = dict[Key, ContainerRecommendation]


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
        help=f"sample metrics.k8s.io for this time; without another source, the default is {SAMPLED}",
    )  # fmt: skip
    add("--ignore-status", action="store_true", help="compute anew what the status of a ModelMonitor has")
    add(
        "--output", choices=("table", "json", "yaml"), default="table",
        help="yaml: patches that you may apply; Pilotfish does not",
    )  # fmt: skip
    add_kubeconfig_arguments(parser, "(default: as kubectl)")


def run(args: argparse.Namespace) -> int:
    """Print the recommendations. Return 1 if something could not be read, or if nothing is known of a workload."""
    duration = read_duration(args.duration) if args.duration else None
    if args.duration and not duration:
        raise UsageError(f"--for {quote_value(args.duration)}: give {UNITS['duration'].wants}")
    if not 0 < args.days <= MAX_DAYS:
        raise UsageError(f"--days {args.days:g}: give more than 0 and at most {MAX_DAYS} days")
    if args.prometheus and duration:
        raise UsageError("--prometheus and --for exclude each other; give the one to use")
    target = parse_workload(args.workload) if args.workload else None
    token = read_header_token(args.token_file) if args.token_file is not None else ""
    server = PrometheusServer(args.prometheus, token) if args.prometheus else None

    async def measured() -> tuple[Gathered, list[Advice]]:
        kube = await Kube.connect(args.kubeconfig, args.context)
        try:
            gathered = await gather(kube, args.namespace, args.monitor, target)
            with show_progress(Console(stderr=True)) as progress:
                found = await _recommended(args, kube, gathered.workloads, server, duration, progress)
        finally:
            await kube.close()
        return gathered, list(_advices(gathered, found))

    gathered, advices = asyncio.run(measured())
    if gathered.problems:
        show_error(*gathered.problems)
    _print(args, advices, gathered.problems)
    known = {one.workload.title for one in advices if one.recommended}
    return PARTIAL_STATUS if gathered.problems or len(known) < len(gathered.workloads) else 0


async def _recommended(
    args: argparse.Namespace,
    kube: Kube,
    workloads: Sequence[MeasuredWorkload],
    server: PrometheusServer | None,
    duration: float | None,
    progress: Progress,
) -> Found:
    """Return the recommendations: of the status, else of Prometheus, else of samples taken now."""
    found = {} if args.ignore_status else dict(_of_status(workloads))
    unknown = [
        one for one in workloads if any((one.title, container.name) not in found for container in one.containers())
    ]
    if server is not None:
        for workload in unknown:
            found = await asyncio.to_thread(_of_history, server, workload, args.days, progress) | found
        return found
    if duration is None:  # do not make a person wait for containers that no monitor names
        unknown = [one for one in unknown if not any(title == one.title for title, _ in found)]
    if unknown:
        if duration is None:
            show_error(f"sampling metrics.k8s.io for {SAMPLED}; --prometheus URL knows more, and --for sets the time")
        found = await _of_samples(kube, unknown, duration or read_duration(SAMPLED) or 0.0, progress) | found
    return found


def _of_status(workloads: Sequence[MeasuredWorkload]) -> Iterator[tuple[Key, ContainerRecommendation]]:
    for workload in workloads:
        for name, entry in workload.status.items():
            found = from_status(entry)
            if found is not None:
                yield (workload.title, name), found


def _of_history(server: PrometheusServer, workload: MeasuredWorkload, days: float, progress: Progress) -> Found:
    histories = _histories([workload])
    for usages in read_history(server, workload, days, time.time(), progress):
        for history in histories.values():
            history.add(usages)
    return _results(histories, "prometheus")


async def _of_samples(kube: Kube, workloads: Sequence[MeasuredWorkload], seconds: float, progress: Progress) -> Found:
    histories = _histories(workloads)
    for usages in await sample(kube, workloads, seconds, progress):
        for (title, _), history in histories.items():
            own = next(one for one in workloads if one.title == title)
            history.add([one for one in usages if one.pod_uid in own.uids])
    return _results(histories, "metrics")


def _histories(workloads: Sequence[MeasuredWorkload]) -> dict[Key, ContainerHistory]:
    return {
        (workload.title, container.name): ContainerHistory(workload, container)
        for workload in workloads
        for container in workload.containers()
    }


def _results(histories: dict[Key, ContainerHistory], source: Source) -> Found:
    results = {key: history.recommended(source) for key, history in histories.items()}
    return {key: found for key, found in results.items() if found is not None}


def _advices(gathered: Gathered, found: Found) -> Iterator[Advice]:
    surroundings = NamespaceRules(gathered.limit_ranges, gathered.quotas)
    for workload in gathered.workloads:
        for container in workload.containers():
            yield advise(workload, container, found.get((workload.title, container.name)), surroundings)


def _print(args: argparse.Namespace, advices: Sequence[Advice], problems: Sequence[str]) -> None:
    if args.output == "json":
        show_json(as_json(advices, args.namespace, problems, time.time()))
    elif args.output == "yaml":
        show_document("---\n".join(as_patches(advices)))
    else:
        width = Console().width if sys.stdout.isatty() else WIDTH
        show(*lines(advices, width))
