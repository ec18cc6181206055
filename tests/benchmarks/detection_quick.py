"""False alarms beside delays, and throughput, of drift detection at a small scale.

    python -m tests.benchmarks.detection_quick [--runs 20]

Counts are drawn from the cells' true probabilities, which is the same as drawing rows and counting them, only faster.
Each false-alarm run has a reference of its own, and counts pages as a user sees them, with episodes. Delays are in
rows, over log(A) / KL, the least that any procedure with this budget needs on average; with a tolerance of .0025 a
shift counts less .05 sd.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.build import build_profile
from pilotfish.detectors.monitor import DriftMonitor
from pilotfish.detectors.profile import Profile
from pilotfish.detectors.results import TickResult
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from tests.benchmarks.detection_columns import Column, Normal, TwoClasses

MONTH = 43_200.0  # ticks
REFERENCES = (
    (1, 1_000_000, 0.0),
    (100, 100_000, 0.0),
    (100, 10_000, 0.0),
    (100, 100_000, 0.0025),
    (100, 10_000, 0.0025),
)
DRIFTS: dict[str, Column] = {
    "+ .3 sd": Normal(0.3), "+ .5 sd": Normal(0.5), "+ 1 sd": Normal(1.0),
    "sd x 1.3": Normal(sd=1.3), "sd x .75": Normal(sd=0.75),
    "10 % bump x 3": Normal(bump=3.0), "classes .50 -> .60": TwoClasses(0.6),
}  # fmt: skip


class Traffic:
    """Ticks of independent columns x0, x1, ... through one monitor."""

    def __init__(
        self, profile: Profile, columns: Sequence[Column], settings: DriftSettings, seed: Sequence[int]
    ) -> None:
        self.monitor = DriftMonitor(profile, settings)
        self.rng = np.random.default_rng(seed)
        self.tick = 0
        self.cells = [column.cells(feature) for column, feature in zip(columns, profile.features, strict=True)]

    def change(self, column: Column) -> None:
        """From now on, x0 is drawn from another distribution."""
        self.cells[0] = column.cells(self.monitor.profile.features[0])

    def step(self, rows: int) -> TickResult:
        cells = np.concatenate([self.rng.multinomial(rows, p) for p in self.cells])
        none = np.zeros(len(self.cells), np.int64)
        counts = Counts(self.monitor.profile.hash, cells, none, none, rows, 0)
        self.tick += 1
        return self.monitor.close_tick(self.tick, counts)


def reference(columns: Sequence[Column], rows: int, tolerance: float, seed: int) -> Profile:
    rng = np.random.default_rng(seed)
    data = {f"x{i}": column.rows(rows, rng) for i, column in enumerate(columns)}
    return build_profile(data, exchangeable=True, tolerance=tolerance)


def settings(ticks_per_false_alarm: float, tolerance: float) -> DriftSettings:
    return DriftSettings(per_seconds=60 * ticks_per_false_alarm, tolerance=tolerance)


def false_alarms(*, runs: int, ticks: int, rows: int, n0: int, a: float) -> tuple[float, float]:
    """Pages over the allowed number, and its upper 99 % bound (by the spread of the runs, at least Poisson's)."""
    columns = [Normal()] * 20
    found = []
    for seed in range(runs):
        traffic = Traffic(reference(columns, n0, 0.0, seed), columns, settings(a, 0.0), [seed, 1])
        found.append(sum(len(traffic.step(rows).alarms) for _ in range(ticks)))
    allowed, mean = ticks / a, float(np.mean(found))
    spread = max(float(np.std(found)) / np.sqrt(runs), np.sqrt(sum(found) + 1) / runs)
    return mean / allowed, (mean + 2.33 * spread) / allowed


def delay(traffic: Traffic, drift: Column, *, rows: int, limit: int) -> int:
    """Rows from the drift of x0 to the alarm, after ten quiet ticks; `limit` if there is none."""
    for _ in range(10):
        traffic.step(rows)
    traffic.change(drift)
    seen = 0
    while seen < limit:
        seen += rows
        if traffic.step(rows).alarms:
            break
    return seen


def lasting(runs: int) -> tuple[float, float, int]:
    """Pages of a drift of .5 sd that lasts 3000 ticks, ticks to its closing after recovery, and false closings."""
    columns = [Normal()] * 20
    profile = reference(columns, 100_000, 0.0025, 4)
    pages, closing, mistaken = 0, [], 0
    for run in range(runs):
        traffic = Traffic(profile, columns, settings(MONTH, 0.0025), [run, 2])
        for _ in range(50):
            traffic.step(50)
        traffic.change(Normal(0.5))
        during = [traffic.step(50) for _ in range(3000)]
        pages += sum(len(result.alarms) for result in during)
        mistaken += sum(change.kind == "closed" for result in during for change in result.changes)
        traffic.change(Normal())
        after = (traffic.step(50) for _ in range(1000))
        closing.append(
            next((i for i, result in enumerate(after) if any(c.kind == "closed" for c in result.changes)), 1000)
        )
    return pages / runs, float(np.mean(closing)) + 1, mistaken


def values_per_second(batches: int = 200, rows: int = 1000, features: int = 20) -> float:
    rng = np.random.default_rng(5)
    columns = {f"x{i}": rng.normal(size=batches * rows) for i in range(features)}
    counts = TickCounts(build_profile(columns, exchangeable=True))
    pieces = [
        Batch({name: values[i * rows : (i + 1) * rows] for name, values in columns.items()}, rows)
        for i in range(batches)
    ]
    started = time.process_time()
    for piece in pieces:
        counts.add(piece)
    counts.take()
    return batches * rows * features / (time.process_time() - started)


def print_false_alarms(runs: int) -> None:
    print(f"{'pages / allowed (A = 200, d = 20, tau = 0)':52} {'mean':>8} {'99 % upper':>11}")
    for n0, rows in ((1_000, 50), (10_000, 5), (10_000, 50), (10_000, 500), (100_000, 50)):
        mean, upper = false_alarms(runs=runs, ticks=1000, rows=rows, n0=n0, a=200.0)
        print(
            f"{f'  n0 = {n0:>7,}, {rows:>3} rows a tick, {runs} x 1000 ticks':52} {mean:8.3f} {upper:11.3f}", flush=True
        )


def print_delays(runs: int) -> None:
    print(f"{'delay (A = 43,200), rows':52} {'mean':>8} {'+- 95 %':>8} {'bound':>8} {'ratio':>6}")
    for features, n0, tolerance in REFERENCES:
        for name, drift in DRIFTS.items():
            quiet: list[Column] = [type(drift)(), *[Normal()] * (features - 1)]
            profile = reference(quiet, n0, tolerance, 3)
            shifted = isinstance(drift, Normal) and drift.shift > 0
            traffics = (Traffic(profile, quiet, settings(MONTH, tolerance), [run, 3]) for run in range(runs))
            rows = 2 if drift.information > 0.2 else 10
            found = np.array([delay(traffic, drift, rows=rows, limit=20_000) for traffic in traffics])
            allowed = np.sqrt(2 * drift.information) - (0.05 if tolerance and shifted else 0)
            bound = float(np.log(MONTH)) / (allowed**2 / 2)
            half = 1.96 * float(found.std()) / np.sqrt(runs)
            label = f"  d = {features:>3}, n0 = {n0:>9,}, tau = {tolerance:<6} {name}"
            print(f"{label:52} {found.mean():8.0f} {half:8.0f} {bound:8.0f} {found.mean() / bound:6.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="repetitions of each line")
    runs = parser.parse_args().runs
    print_false_alarms(runs)
    print_delays(runs)
    pages, closing, mistaken = lasting(max(runs // 5, 1))
    print(
        f"a drift of .5 sd for 3000 ticks: {pages:.2f} pages, closed {closing:.0f} ticks after, {mistaken} by mistake"
    )
    print(f"throughput: {values_per_second() / 1e6:.1f} M numeric values/s of one core, batches of 1000 rows")


if __name__ == "__main__":
    main()
