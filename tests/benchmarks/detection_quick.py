"""False alarms beside delays, and throughput, of drift detection at a small scale: `python detection_quick.py`.

Counts are drawn from the cells' true probabilities, which is the same as drawing rows and counting them, only faster.
Each false-alarm run has a reference of its own. Delays are in rows, over the least that any procedure with this
budget needs on average, log(A) / KL; with a tolerance of .0025 the shift counts less .05 sd.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.build import build_profile
from pilotfish.detectors.monitor import DriftMonitor
from pilotfish.detectors.profile import Profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts

MONTH = 43_200.0  # ticks


@dataclass(frozen=True)
class Drift:
    """A normal column with another mean and standard deviation."""

    shift: float = 0.0
    sd: float = 1.0

    @property
    def information(self) -> float:
        """Kullback-Leibler divergence from the standard normal, nats a row."""
        return float((self.sd**2 + self.shift**2 - 1) / 2 - np.log(self.sd))


def cell_probabilities(profile: Profile, name: str, drift: Drift) -> np.ndarray:
    cuts = profile.feature(name).bins.cuts  # type: ignore[union-attr]  # all columns here are numeric
    below = [NormalDist(drift.shift, drift.sd).cdf(float(cut)) for cut in cuts]
    inner = np.diff([0.0, *below, 1.0])
    out: np.ndarray = np.concatenate([[0.0], inner, [0.0, 0.0]]) / inner.sum()
    return out


def counts_of(profile: Profile, rows: int, probabilities: list[np.ndarray], rng: np.random.Generator) -> Counts:
    cells = np.concatenate([rng.multinomial(rows, p) for p in probabilities])
    return Counts(profile.hash, cells, np.zeros(len(profile.features), np.int64), rows, 0)


def reference(features: int, rows: int, tolerance: float, rng: np.random.Generator) -> Profile:
    columns = {f"x{i}": rng.normal(size=rows) for i in range(features)}
    return build_profile(columns, exchangeable=True, tolerance=tolerance)


def settings(ticks_per_false_alarm: float, tolerance: float) -> DriftSettings:
    return DriftSettings(per_seconds=60 * ticks_per_false_alarm, tolerance=tolerance)


def false_alarms(*, runs: int, ticks: int, rows: int, n0: int, features: int, a: float) -> tuple[float, float]:
    """Alarms over the allowed number, and its upper 99 % bound (Poisson, by the runs' own spread if larger)."""
    found = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        profile = reference(features, n0, 0.0, rng)
        monitor = DriftMonitor(profile, settings(a, 0.0))
        truth = [cell_probabilities(profile, feature.name, Drift()) for feature in profile.features]
        results = (monitor.close_tick(tick, counts_of(profile, rows, truth, rng)) for tick in range(ticks))
        found.append(sum(len(result.alarms) for result in results))
    allowed = ticks / a
    total = sum(found)
    spread = max(float(np.std(found)) / np.sqrt(runs), np.sqrt(total + 1) / runs)
    return total / runs / allowed, (total / runs + 2.33 * spread) / allowed


def delay(
    profile: Profile, drift: Drift, *, tolerance: float, rows: int, runs: int, limit: int, seed: int = 1
) -> list[int]:
    """Rows from the drift of x0 to the alarm, after as many quiet rows as a day has; `limit` if there is none."""
    quiet = [cell_probabilities(profile, feature.name, Drift()) for feature in profile.features]
    drifted = [cell_probabilities(profile, "x0", drift), *quiet[1:]]
    out = []
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        monitor = DriftMonitor(profile, settings(MONTH, tolerance))
        for tick in range(10):
            monitor.close_tick(tick, counts_of(profile, rows, quiet, rng))
        seen, tick = 0, 10
        while seen < limit:
            seen, tick = seen + rows, tick + 1
            if monitor.close_tick(tick, counts_of(profile, rows, drifted, rng)).alarms:
                break
        out.append(seen)
    return out


def values_per_second(batches: int = 200, rows: int = 1000, features: int = 20) -> float:
    rng = np.random.default_rng(5)
    columns = {f"x{i}": rng.normal(size=batches * rows) for i in range(features)}
    profile = build_profile(columns, exchangeable=True)
    pieces = [
        Batch({name: values[i * rows : (i + 1) * rows] for name, values in columns.items()}, rows)
        for i in range(batches)
    ]
    counts = TickCounts(profile)
    started = time.process_time()
    for piece in pieces:
        counts.add(piece)
    counts.take()
    return batches * rows * features / (time.process_time() - started)


def print_false_alarms(runs: int) -> None:
    print(f"{'false alarms / allowed (A = 200, d = 20, tau = 0)':60} {'mean':>8} {'99 % upper':>11}")
    for n0, rows in ((1_000, 50), (10_000, 5), (10_000, 50), (10_000, 500), (100_000, 50)):
        mean, upper = false_alarms(runs=runs, ticks=1000, rows=rows, n0=n0, features=20, a=200.0)
        print(f"  n0 = {n0:>7,}, {rows:>3} rows a tick, {runs} runs x 1000 ticks{'':14} {mean:8.3f} {upper:11.3f}")


def print_delays(runs: int) -> None:
    head = f"{'delay (A = 43,200), rows':52} {'mean':>8} {'+- 95 %':>8} {'bound':>8} {'ratio':>6}"
    print(head)
    for features, n0, tolerance in (
        (1, 1_000_000, 0.0),
        (100, 100_000, 0.0),
        (100, 10_000, 0.0),
        (100, 100_000, 0.0025),
        (100, 10_000, 0.0025),
    ):
        profile = reference(features, n0, tolerance, np.random.default_rng(3))
        for drift in (Drift(0.3), Drift(0.5), Drift(1.0), Drift(0.0, 1.3), Drift(0.0, 0.75)):
            rows = 2 if drift.shift == 1.0 else 10
            found = np.array(delay(profile, drift, tolerance=tolerance, rows=rows, runs=runs, limit=20_000))
            information = drift.information
            if tolerance and drift.shift:
                information = (drift.shift - 0.05) ** 2 / 2
            bound = float(np.log(MONTH)) / information
            half = 1.96 * float(found.std()) / np.sqrt(runs)
            name = f"  d = {features:>3}, n0 = {n0:>9,}, tau = {tolerance:<6} {drift.shift} sd, sd x {drift.sd}"
            print(f"{name:52} {found.mean():8.0f} {half:8.0f} {bound:8.0f} {found.mean() / bound:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="repetitions of each line")
    runs = parser.parse_args().runs
    print_false_alarms(runs)
    print_delays(runs)
    print(f"throughput: {values_per_second() / 1e6:.1f} M numeric values/s of one core, batches of 1000 rows")


if __name__ == "__main__":
    main()
