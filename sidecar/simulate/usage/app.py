"""`pilotfish simulate --usage`: what the documents' `spec.resources` would have done with measured use."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from ...errors import UsageError, number, quote_value
from ...profiles.progress import show_progress
from ...settings.load import load
from ...settings.resources import Resources
from ...settings.units import read_positive, show_duration
from ...system.files import read_file
from ...terminal import show_json
from ..csvfile import MAX_BYTES
from ..errors import PlantError, TraceError
from ..output import print_view, read_option, write_view
from ..plant import STEP
from ..trace import Floats
from .play import ASSUMED_SECONDS, PARALLELISM, SimulatedModel, play_usage, span_of
from .policies import (
    CappedPolicy,
    DocumentPolicy,
    PoolPolicy,
    ResourcePolicy,
    UnchangedPolicy,
    vertical,
)
from .table import UsageReplay, as_json, view_of
from .trace import UsageTrace, read_usage

STARTUP = 30.0  # seconds after which a killed container serves again
MOST_PODS = 20
LIMIT_RATIO = 2.0  # of the CPU limit to the request; in a pool, the pods have no more than their shares
LEAST_MEMORY = 2.0**20


def run(args: argparse.Namespace) -> int:
    """Replay, print the result, write the files, and return 0."""
    documents = _documents(args.monitor)
    models = _models(args, documents)
    startup = read_option(args.startup, "--startup") if args.startup else STARTUP
    policies = _policies({name: model.settings for name, model in models.items()}, _budget(args, models))
    with show_progress(Console(stderr=True)) as progress:
        played = {
            label: play_usage(models, policy, startup, args.seed, _reporter(progress, label))
            for label, policy in policies.items()
        }
    title = f"Replay of the use of {', '.join(models)}"
    replay = UsageReplay(
        title, span_of(models)[0], models, played, list(_assumptions(models, startup)), list(_notes(models))
    )
    if args.json:
        show_json(as_json(replay))
    else:
        print_view(view_of(replay))
    write_view(view_of(replay), args.html, args.png)
    return 0


def _documents(paths: list[Path]) -> dict[str, Resources]:
    found: dict[str, Resources] = {}
    for path in paths:
        monitor = load(path)
        settings, name = monitor.spec.resources, monitor.metadata.name or path.stem
        if settings is None or settings.cpu is None:
            raise UsageError(f"{path}: no spec.resources.cpu; add its maximum, see docs/simulate.md")
        if name in found:
            raise UsageError(f"{path}: a second document of the monitor {name}; give each one once")
        found[name] = settings
    return found


def _models(args: argparse.Namespace, documents: Mapping[str, Resources]) -> dict[str, SimulatedModel]:
    try:
        raw = read_file(args.usage, MAX_BYTES, follow=True)
    except OSError as error:
        raise TraceError(f"{args.usage}: cannot be read ({error.strerror}); check the path") from error
    pods = 1 if args.replicas is None else args.replicas
    if not 1 <= pods <= MOST_PODS:
        raise UsageError(f"--replicas {pods}: give 1 to {MOST_PODS} pods of each monitor")
    traces = read_usage(raw, str(args.usage), next(iter(documents)))
    missing = [name for name in documents if name not in traces]
    if missing:
        known = ", ".join(sorted(traces)[:10])
        raise UsageError(f"{args.usage}: no rows of the monitor {quote_value(missing[0])}; the file has {known}")
    budget = _cores(args.pool) if args.pool is not None else None
    return {
        name: _model(traces[name], settings, pods, None if budget is None else budget / (pods * len(documents)))
        for name, settings in documents.items()
    }


def _model(trace: UsageTrace, settings: Resources, pods: int, share: float | None) -> SimulatedModel:
    """Return a model; `share` are the cores of each pod at the start, the maximum of the document without a pool."""
    assert settings.cpu is not None
    cores = settings.cpu.max if share is None else min(max(share, settings.cpu.min), settings.cpu.max)
    most = settings.memory.max if settings.memory is not None else _largest(trace.memory)
    return SimulatedModel(
        trace, settings, pods, _seconds(trace), cores, max(most, LEAST_MEMORY), LIMIT_RATIO if share is None else 1.0
    )


def _largest(memory: Floats | None) -> float:
    """Return more memory than is ever wanted: a document without it does not change it."""
    return 0.0 if memory is None else float(np.nanmax(memory)) * 2.0


def _seconds(trace: UsageTrace) -> float:
    """Return the CPU time of a request, in seconds."""
    if trace.rates is None:
        return ASSUMED_SECONDS
    both = ~np.isnan(trace.rates)
    requests, cores = float(trace.rates[both].sum()), float(trace.cpu[both].sum())
    return cores / requests if requests > 0.0 and cores > 0.0 else ASSUMED_SECONDS


def _cores(text: str) -> float:
    cores = read_positive(text)
    if cores is None:
        raise UsageError(f"--pool {quote_value(text)}: give a number of cores, such as 4 or 2500m")
    return cores


def _budget(args: argparse.Namespace, models: Mapping[str, SimulatedModel]) -> float | None:
    if args.pool is None:
        if len(models) > 1:
            raise UsageError(f"{number(len(models), 'document')} without --pool; give the cores that they share")
        return None
    budget = _cores(args.pool)
    minima = sum(model.pods * model.settings.cpu.min for model in models.values() if model.settings.cpu is not None)
    if minima > budget:
        raise PlantError(
            f"--pool {args.pool}: the minima of the documents need {minima:g} cores; give more, or lower "
            "spec.resources.cpu.min"
        )
    return budget


def _policies(documents: Mapping[str, Resources], budget: float | None) -> dict[str, ResourcePolicy]:
    if budget is None:
        return {
            "this document": DocumentPolicy(documents),
            "VPA defaults": DocumentPolicy({name: vertical(one) for name, one in documents.items()}),
            "always the maximum": UnchangedPolicy(documents),
        }
    return {
        "this pool": PoolPolicy(documents, budget),
        "equal shares": UnchangedPolicy(documents, memory=True),
        "own recommendations, cut": CappedPolicy(documents, budget),
    }


def _reporter(progress: Callable[[str, float], None], label: str) -> Callable[[float], None]:
    return lambda share: progress(label, share)


def _assumptions(models: Mapping[str, SimulatedModel], startup: float) -> Iterator[str]:
    _, steps = span_of(models)
    yield f"use: {show_duration(steps * STEP)} that all monitors have in common"
    for name, model in models.items():
        wanted = model.trace.cpu
        source = "assumed, as the file has no request rate" if model.trace.rates is None else "from the file"
        limit = "" if model.limit_ratio == 1.0 else f", and a limit of {model.limit_ratio:g} times the request"
        yield (
            f"{name}: {number(model.pods, 'pod')}, {wanted.min():.3g} to {wanted.max():.3g} cores wanted, "
            f"{model.seconds * 1000:.3g} ms of CPU for a request ({source}); at the start {model.cpu:.3g} cores a pod"
            f"{limit}"
        )
    yield (
        f"pods: the requests of a pod share its cores, and each uses at most {PARALLELISM:g}; "
        f"a container that was killed for its memory serves again after {show_duration(startup)}"
    )


def _notes(models: Mapping[str, SimulatedModel]) -> Iterator[str]:
    gaps = sum(len(model.trace.gaps) for model in models.values())
    if gaps:
        yield f"gaps: {number(gaps, 'gap')}; nothing is measured there, and these minutes are not judged"
