"""The role `pilotfish simulate`: what the policy of a document would have done with a load."""

from __future__ import annotations

import argparse
import math
import time
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from ..control.scale.plan import ScalePlan
from ..errors import UsageError
from ..profiles.progress import show_progress
from ..settings.load import load
from ..settings.scaling import ConcurrencySignal, LatencySignal, Scaling
from ..system.files import read_file
from ..system.tokens import read_header_token
from ..terminal import show_json
from . import table
from .csvfile import MAX_BYTES
from .errors import PlantError, TraceError
from .outcome import Outcome
from .output import print_view, read_option, require_writable, write_view
from .plant import Service
from .play import first_replicas, play
from .policies import MAX_REPLICAS, RecommenderPolicy, ReplicaPolicy, horizontal_plan, simulated_plan
from .prometheus import fetch_range, read_range
from .result import PlayedPolicy, Simulation, describe_service, describe_trace
from .trace import Floats, LoadTrace, read_csv
from .usage.app import run as replay_usage

LEARNED_QUANTILE = 0.1  # of the times in the trace: those with little waiting
LEAST_RATE = 1e-9  # requests per second
QUERY = "sum(rate(pilotfish_requests_total[5m]))"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `pilotfish simulate`."""
    add = parser.add_argument
    add(
        "--monitor", type=Path, required=True, action="append", metavar="FILE",
        help="the ModelMonitor document with `spec.scaling`, or with `spec.resources` for --usage; may be repeated",
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="the load: CSV with `time,requests_per_second`, or a saved response of Prometheus' /api/v1/query_range",
    )
    source.add_argument(
        "--usage",
        type=Path,
        metavar="FILE",
        help="measured use, to replay `spec.resources`: CSV with `time,cpu`, and `monitor` for several documents",
    )
    source.add_argument("--prometheus", metavar="URL", help="query a Prometheus for the load")
    add("--query", default=QUERY, metavar="PROMQL", help="requests per second, one series (default %(default)s)")
    add("--last", default="1w", metavar="DURATION", help="length of the time to query, up to now (default %(default)s)")
    add("--pool", metavar="CPU", help="with --usage: the cores that the documents share, as a pool")
    add("--token-file", type=Path, metavar="FILE", help="a file with the bearer token for --prometheus")
    service = parser.add_argument_group("the simulated service")
    service.add_argument(
        "--service-time",
        metavar="DURATION",
        help="mean time to serve a request without waiting (default: learned from the trace)",
    )
    service.add_argument(
        "--concurrency-limit",
        type=int,
        metavar="N",
        help="requests that a replica serves at once (default: the target of the signal `concurrency`)",
    )
    service.add_argument(
        "--startup",
        metavar="DURATION",
        help="time until a new replica is ready, or a killed one (default: `coldStart.assumed`, or 30s)",
    )
    service.add_argument(
        "--latency-target",
        metavar="DURATION",
        help="service level: 95 %% of the responses take at most this (default: the signal `latency`)",
    )
    service.add_argument(
        "--replicas",
        type=int,
        metavar="N",
        help="replicas at the start, or pods of each monitor (default: for the first load, or 1)",
    )
    service.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the random arrivals (default %(default)s)"
    )
    add("--html", type=Path, metavar="OUT", help="also write one self-contained HTML page with charts")
    add("--png", type=Path, metavar="OUT", help="also write a PNG picture; needs the extra `plots`")
    add("--json", action="store_true", help="print the figures and all changes as JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate, print the result, write the files, and return 0."""
    require_writable((args.html, args.png))
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed}: give a number of at least 0")
    if args.usage is not None:
        return replay_usage(args)
    if args.pool is not None or len(args.monitor) > 1:
        raise UsageError("several documents and --pool need --usage; give the use of the monitors, or one document")
    scaling, name = _scaling(args.monitor[0])
    most = min(scaling.max_replicas, MAX_REPLICAS)
    if args.replicas is not None and not 1 <= args.replicas <= most:
        raise UsageError(f"--replicas {args.replicas}: give 1 to {most} replicas")
    trace = _trace(args)
    plan, missing = simulated_plan(ScalePlan.of(scaling))
    service, source = _service(args, scaling, trace)
    replicas = args.replicas or first_replicas(trace, service, plan.min_replicas, plan.max_replicas)
    policies: dict[str, ReplicaPolicy] = {
        "this document": RecommenderPolicy(plan, scaling.cooldown, scaling.actions_per_hour),
        "HPA, default behavior": RecommenderPolicy(horizontal_plan(plan)),
    }
    with show_progress(Console(stderr=True)) as progress:
        played = [
            _played(label, trace, service, policy, replicas, args.seed, progress) for label, policy in policies.items()
        ]
    notes = [table.interval_note(plan.interval), *_missing(missing)]
    assumptions = [*describe_trace(trace), *describe_service(service, source)]
    simulation = Simulation(f"Simulation of {name}", trace, service, played, assumptions, notes)
    view = table.view_of(simulation)
    if args.json:
        show_json(table.as_json(simulation))
    else:
        print_view(view, list(table.changes_line(simulation)))
    write_view(view, args.html, args.png)
    return 0


def _played(
    label: str,
    trace: LoadTrace,
    service: Service,
    policy: ReplicaPolicy,
    replicas: int,
    seed: int,
    progress: Callable[[str, float], None],
) -> PlayedPolicy:
    played = play(trace, service, policy, replicas, seed, lambda share: progress(label, share))
    return PlayedPolicy(label, played, Outcome.of(played, service))


def _scaling(path: Path) -> tuple[Scaling, str]:
    monitor = load(path)
    if monitor.spec.scaling is None:
        raise UsageError(f"{path}: no spec.scaling; add minReplicas, maxReplicas and signals, see docs/simulate.md")
    return monitor.spec.scaling, monitor.metadata.name or path.name


def _trace(args: argparse.Namespace) -> LoadTrace:
    if args.prometheus is not None:
        end = time.time()
        token = read_header_token(args.token_file) if args.token_file is not None else ""
        raw = fetch_range(args.prometheus, args.query, end - read_option(args.last, "--last"), end, token)
        return read_range(raw, args.prometheus)
    try:
        raw = read_file(args.trace, MAX_BYTES, follow=True)
    except OSError as error:
        raise TraceError(f"{args.trace}: cannot be read ({error.strerror}); check the path") from error
    json = raw.removeprefix(BOM_UTF8).lstrip()
    return read_range(json, str(args.trace)) if json[:1] == b"{" else read_csv(raw, str(args.trace))


def _service(args: argparse.Namespace, scaling: Scaling, trace: LoadTrace) -> tuple[Service, str]:
    """Return the service, and where its service time comes from; raise PlantError for what is not known."""
    service_time, source = _service_time(args, trace)
    concurrency = next((one.target for one in scaling.signals if isinstance(one, ConcurrencySignal)), None)
    slots = args.concurrency_limit or (math.ceil(concurrency) if concurrency is not None else 0)
    if not slots:
        raise PlantError("the requests that a replica serves at once are not known; give --concurrency-limit")
    gate = next((one for one in scaling.signals if isinstance(one, LatencySignal)), None)
    if args.latency_target is None and gate is None:
        raise PlantError("the service level is not known; give --latency-target, or add the signal `latency`")
    return (
        Service(
            service_time=service_time,
            slots=slots,
            startup=read_option(args.startup, "--startup") if args.startup else scaling.cold_start.assumed,
            target=read_option(args.latency_target, "--latency-target")
            if gate is None or args.latency_target
            else gate.target,
            quantile=gate.quantile if gate is not None else 0.95,
        ),
        source,
    )


def _service_time(args: argparse.Namespace, trace: LoadTrace) -> tuple[float, str]:
    if args.service_time:
        return read_option(args.service_time, "--service-time"), "given"
    if trace.concurrency is not None:
        seconds: Floats = trace.concurrency / np.maximum(trace.rates, LEAST_RATE)
        name = "`concurrency` by Little's law"
    elif trace.latency is not None:
        seconds, name = trace.latency, "`latency`"
    else:
        raise PlantError(
            "the service time is not known: the trace has neither `concurrency` nor `latency`; give --service-time"
        )
    positive = seconds[(trace.rates > 0) & (seconds > 0)]
    if not len(positive):
        raise PlantError(f"the service time is not known: {name} is never positive; give --service-time")
    return float(np.quantile(positive, LEARNED_QUANTILE)), f"learned from {name}, quantile {LEARNED_QUANTILE:g}"


def _missing(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"not simulated, because a load trace does not determine them: the signals {', '.join(names)}"
