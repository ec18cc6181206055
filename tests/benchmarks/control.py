"""What one monitor with many pods costs the controller: `make bench-control`.

    python -m tests.benchmarks.control [--pods 1000] [--features 100] [--rows 60] [--ticks 5]

Each pod sends one sparse report a tick, with `rows` rows. Times are CPU seconds of this process, of the fastest and the
median tick; memory is resident. `control_http` measures the HTTP server in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import time
import uuid
from collections.abc import Callable
from statistics import median
from typing import ParamSpec, TypeVar

import numpy as np

from pilotfish.detectors.batch import Array, Batch
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.watermark import ExpectedPods
from pilotfish.sidecar.sync.counts import decode_counts, encode_counts
from pilotfish.sidecar.telemetry.process import memory_usage
from tests.benchmarks import control_http
from tests.benchmarks.__main__ import machine

FIRST_TICK, TICK = 30_000_000, 60.0
DISTINCT = 50  # reports that differ; pods share them, because making them takes most of the time
TARGET_MILLISECONDS = 100.0  # of fold and detection, for 1000 pods and 100 features

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def columns(features: int, rows: int, random: np.random.Generator) -> dict[str, Array]:
    """Return three normal columns for each one of ten categories."""
    names = np.array([f"category {index}" for index in range(10)])
    return {
        f"feature_{index}": random.normal(size=rows) if index % 4 else random.choice(names, rows)
        for index in range(features)
    }


def reference(features: int) -> Profile:
    """Return a profile of a week of minutes, measured at one row a minute."""
    rows = 7 * 24 * 60
    return build_profile(
        columns(features, rows, np.random.default_rng(1)), times=np.arange(float(rows)) * TICK, tick_seconds=TICK
    )


def reports(profile: Profile, features: int, rows: int) -> list[Counts]:
    """Return the counts of a tick of DISTINCT pods."""
    random, found = np.random.default_rng(2), []
    for _ in range(DISTINCT):
        counting = TickCounts(profile)
        counting.add(Batch(columns(features, rows, random), rows))
        found.append(counting.take())
    return found


class Clock:
    """Adds up the CPU seconds of what it runs, by name and tick."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}

    def run(
        self, name: str, work: Callable[Arguments, Result], *given: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """Call `work` and return its result."""
        start = time.process_time()
        result = work(*given, **named)
        self.spent.setdefault(name, []).append(time.process_time() - start)
        return result

    def row(self, name: str) -> str:
        """Return the row of a table: fastest and median run in milliseconds."""
        runs = self.spent[name]
        return f"| {name} | {1000 * min(runs):,.1f} | {1000 * median(runs):,.1f} |"


def measure(pods: int, features: int, rows: int, ticks: int) -> None:
    """Print the tables."""
    clock = Clock()
    profile = clock.run("build the profile", reference, features)
    sent = [encode_counts(counts) for counts in reports(profile, features, rows)]
    uids = [str(uuid.UUID(int=pod * 2**96 + pod)) for pod in range(pods)]
    expected = ExpectedPods(dict.fromkeys(uids, FIRST_TICK * TICK - 1e6))
    fleet = clock.run("a new detector", FleetDetector, profile)
    gc.collect()
    before = memory_usage()[1]
    fleet.receive("first", "1", [], -1, FIRST_TICK * TICK)
    for tick in range(FIRST_TICK, FIRST_TICK + ticks):
        now = (tick + 1) * TICK + 3.0
        decoded = clock.run(f"decode {pods} reports", _decode, sent * (pods // DISTINCT), profile)
        clock.run("fold them", _receive, fleet, uids, decoded, tick, rows, now)
        decoded = []
        resident, counts = memory_usage()[1], fleet._fold.nbytes
        state = clock.run("checkpoint with an open tick", fleet.state)
        results = clock.run("close and detect", fleet.advance, now, expected)
        assert results[-1].tick == tick, fleet.status()
        clock.run("advance without news", fleet.advance, now, expected)
        closed = clock.run("checkpoint without open ticks", fleet.state)
        clock.run("status", fleet.status)
    clock.run("restore a checkpoint", FleetDetector.from_state, profile, None, state)
    folded = [
        1000 * (fold + close)
        for fold, close in zip(clock.spent["fold them"], clock.spent["close and detect"], strict=True)
    ]
    print(f"{machine()}; {pods} pods, {features} features ({profile.n_bins} bins), {rows} rows a pod and tick\n")
    print("| per tick | fastest, ms of CPU | median, ms of CPU |\n| --- | --- | --- |")
    for name in clock.spent:
        print(clock.row(name))
    verdict = "kept" if median(folded) <= TARGET_MILLISECONDS else "MISSED"
    print(f"\nFold and detect: {median(folded):.0f} ms, target {TARGET_MILLISECONDS:.0f} ms: {verdict}.")
    print(f"A report has {np.mean([len(data) for data in sent]):,.0f} bytes.")
    print(f"A checkpoint has {len(state):,} bytes with the counts of an open tick, {len(closed):,} without.")
    print(f"The counts of an open tick take {counts:,} bytes.")
    print(f"Resident memory grew by {(resident - before) / 2**20:,.1f} MiB, decoded reports included.")
    served = control_http.measure(profile, sent, pods, rounds=max(2, ticks))
    print(f"\n| sync of {pods} pods over HTTPS | CPU, s | share of a core, once a minute |\n| --- | --- | --- |")
    for name, seconds in served.items():
        print(f"| {name} | {seconds:.2f} | {seconds / TICK:.1%} |")


def _decode(sent: list[bytes], profile: Profile) -> list[Counts]:
    return [decode_counts(data, profile) for data in sent]


def _receive(fleet: FleetDetector, uids: list[str], decoded: list[Counts], tick: int, rows: int, now: float) -> None:
    for uid, counts in zip(uids, decoded, strict=True):
        fleet.receive(uid, "1-1", [(tick, rows, counts)], tick, now)


def main() -> None:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--ticks", type=int, default=5)
    arguments = parser.parse_args()
    measure(arguments.pods, arguments.features, arguments.rows, arguments.ticks)


if __name__ == "__main__":
    main()
