"""What one request costs the analyzer: CPU from the process's own accounting, resident memory, with everything on.

    python -m tests.benchmarks.analyzer_cost [--features 20] [--requests 60000] [--related]

A child process plays the proxy (so that its CPU is not counted) and sends recorded OIP requests of one row over the
real socket; the worker receives, decodes, counts, closes ticks, detects, writes checkpoints and publishes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import Future
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.analyzer.checkpoint import CHECKPOINT_FILE
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.feedback.journal import LabelJournal
from pilotfish.sidecar.analyzer.persistence import Persistence
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.row_stores import RowStores
from pilotfish.sidecar.analyzer.settings import AnalyzerSettings
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.analyzer.totals_file import TOTALS_FILE, TotalsFile
from pilotfish.sidecar.analyzer.worker import Worker, WorkerDependencies
from pilotfish.sidecar.channel import SOCKET_FILE
from pilotfish.sidecar.channel.receiver import Receiver
from pilotfish.sidecar.telemetry.process import memory_usage
from tests.benchmarks.played import hand_over

TICK_SECONDS = 1.0
DISTINCT = 500


def rows(count: int, features: int, related: bool, random: np.random.Generator) -> Any:
    """Return normal columns [count, features], independent or all correlated by .5."""
    own = random.normal(size=(count, features))
    return (own + random.normal(size=(count, 1))) / 2**0.5 if related else own


def bodies(features: int, related: bool) -> list[tuple[bytes, bytes]]:
    """Return request and response bodies of one row each."""
    out = []
    for row in rows(DISTINCT, features, related, np.random.default_rng(7)).round(6).tolist():
        inputs = [_tensor(f"feature_{index}", value) for index, value in enumerate(row)]
        answer = {"model_name": "m", "outputs": [_tensor("score", sum(row) / features)]}
        out.append((json.dumps({"inputs": inputs}).encode(), json.dumps(answer).encode()))
    return out


def _tensor(name: str, value: float) -> dict[str, object]:
    return {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}


def play_proxy(path: str, features: int, requests: int, related: bool) -> None:
    """Send `requests` records as fast as they are taken."""
    pairs = bodies(features, related)
    hand_over(path, (pairs[number % DISTINCT] for number in range(1, requests + 1)))


def reference(features: int, related: bool) -> Profile:
    """Return a profile of normal columns, from which the requests come, too."""
    random = np.random.default_rng(1)
    made = rows(20_000, features, related, random).T
    columns: dict[str, Any] = {f"feature_{index}": values for index, values in enumerate(made)}
    columns["score"] = random.normal(size=20_000) / features**0.5
    return build_profile(columns, sides={"score": "prediction"}, exchangeable=True, model="m")


def monitor(profile: Profile, drift: DriftSettings, _: object) -> DriftMonitor:
    """Return a fresh engine."""
    return DriftMonitor(profile, drift)


def start(folder: Path, features: int, related: bool) -> Worker:
    """Return a worker that listens in `folder`."""
    settings = AnalyzerSettings(model="m", drift=DriftSettings(tick_seconds=TICK_SECONDS), engine_factory=monitor)
    pipeline = Pipeline(settings, ExchangeLedger(1))
    pipeline.set_profile(reference(features, related))
    stores = RowStores(folder, pipeline)
    dependencies = WorkerDependencies(
        pipeline=pipeline,
        persistence=Persistence(
            pipeline,
            checkpoint=folder / CHECKPOINT_FILE,
            journal=LabelJournal(folder),
            stores=stores,
            totals_file=TotalsFile(folder / TOTALS_FILE),
        ),
        stores=stores,
        open_receiver=lambda: Receiver(folder / SOCKET_FILE),
        now=time.time,
    )
    worker = Worker(dependencies, Publisher(time.time()))
    worker.start()
    return worker


def measured(worker: Worker) -> int:
    """Return how many exchanges are published as measured."""
    return sum(count.exchanges for count in worker.published.report.counts if count.fate == "measured")


def main() -> int:
    """Measure once and print one line; the status is 1 when a record was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--requests", type=int, default=60_000)
    parser.add_argument("--related", action="store_true", help="columns that are correlated, and watched for it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        worker = start(Path(name), args.features, args.related)
        before, began = os.times(), time.monotonic()
        proxy = get_context("spawn").Process(
            target=play_proxy, args=(str(Path(name) / SOCKET_FILE), args.features, args.requests, args.related)
        )
        proxy.start()
        while measured(worker) < args.requests and not worker.finished.done() and proxy.exitcode in (None, 0):
            time.sleep(0.1)
        after, elapsed = os.times(), time.monotonic() - began
        proxy.join()
        worker.stop()
        _wait(worker.finished)
    cpu = (after.user - before.user) + (after.system - before.system)
    print(
        f"{args.features} features, {args.requests} requests: {cpu / args.requests * 1e6:.1f} us CPU a request, "
        f"{args.requests / elapsed:,.0f} requests/s, resident {memory_usage()[1] / 2**20:.0f} MB, "
        f"{worker.published.report.ticks.closed_total} ticks closed"
    )
    return 0 if measured(worker) == args.requests else 1


def _wait(finished: Future[None]) -> None:
    finished.result(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
