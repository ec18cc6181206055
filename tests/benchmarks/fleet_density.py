"""What detection finds when one pod learned the profile of a fleet: `python -m tests.benchmarks.fleet_density`.

The profile has the rows of one pod, and the live ticks those of all pods. Three kinds of traffic:

    independent    rows without any serial correlation
    common level   the mean of all pods wanders slowly: time of day, news, a campaign
    own levels     the mean of each pod wanders by itself: sessions that stick to a pod

Three ways to use the profile: as it is (`learned`), as if its ticks had had the rows of all pods (`scaled`), and a
profile of the rows of all pods (`whole`). False alarms are counted without a drift; the delay is that of a shift.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pilotfish.detectors.batch import Batch, Floats
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts

TICK = 60.0
ROWS = 10  # of a pod in a tick
LEARNED_TICKS = 2000
ALLOWED_TICKS = 500.0  # for one false alarm
WANDERING = 0.98  # of a level, from one tick to the next
SPREAD = 0.15  # of the levels, in standard deviations of a row
SETTINGS = DriftSettings(tick_seconds=TICK, false_alarms=1, per_seconds=ALLOWED_TICKS * TICK)
KINDS = ("independent", "common level", "own levels")
USES = ("learned", "scaled", "whole")


def traffic(kind: str, pods: int, seed: int, shift: float = 0.0) -> Iterator[Floats]:
    """Yield the rows of each tick, [pods, ROWS], whose mean is higher by `shift`."""
    random = np.random.default_rng(seed)
    size = {"independent": 0, "common level": 1, "own levels": pods}[kind]
    level = random.normal(0, SPREAD, size)
    while True:
        level = WANDERING * level + (1 - WANDERING**2) ** 0.5 * random.normal(0, SPREAD, size)
        rows = random.normal(shift, 1.0, (pods, ROWS))
        yield rows + level[:, None] if size else rows


def profile_of(kind: str, pods: int, seen: int, seed: int) -> Profile:
    """Return a profile of the rows that `seen` of the pods had."""
    ticks = traffic(kind, pods, seed)
    rows = np.concatenate([next(ticks)[:seen].ravel() for _ in range(LEARNED_TICKS)])
    times = np.repeat(np.arange(float(LEARNED_TICKS)) * TICK, seen * ROWS)
    return build_profile({"x": rows}, times=times, tick_seconds=TICK)


def monitor_of(use: str, kind: str, pods: int, seed: int) -> DriftMonitor:
    """Return a monitor with the profile of this use."""
    profile = profile_of(kind, pods, pods if use == "whole" else 1, seed)
    monitor = DriftMonitor(profile, SETTINGS)
    if use == "scaled":
        for family in monitor._families:
            assert family.table.rows_per_tick is not None
            family.table = replace(family.table, rows_per_tick=family.table.rows_per_tick * pods)
    return monitor


def alarms(monitor: DriftMonitor, ticks: Iterator[Floats], count: int, *, stop: bool = False) -> list[int]:
    """Return the ticks of the alarms of a monitor; with `stop`, end at the first one."""
    counting, found = TickCounts(monitor.profile), []
    for tick in range(count):
        rows = next(ticks).ravel()
        counting.add(Batch({"x": rows}, len(rows)))
        found += [tick] * len(monitor.close_tick(tick, counting.take()).alarms)
        if stop and found:
            break
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=1000, help="without drift, of each run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--shift", type=float, default=0.5, help="in standard deviations of a row")
    arguments = parser.parse_args()
    allowed = arguments.runs * arguments.ticks / ALLOWED_TICKS
    print(f"{arguments.runs} runs of {arguments.ticks} ticks without drift; {allowed:g} false alarms are allowed.")
    print(f"Delay: median ticks until a shift of {arguments.shift:g} is found, at most {arguments.ticks}.\n")
    print("| traffic | pods | " + " | ".join(f"{use}: false alarms | delay" for use in USES) + " |")
    print("| --- | --- | " + " | ".join("--- | ---" for _ in USES) + " |")
    for kind in KINDS:
        for pods in (1, 10, 100):
            cells = []
            for use in USES if pods > 1 else USES[:1]:
                false, delays = 0, []
                for seed in range(arguments.runs):
                    monitor = monitor_of(use, kind, pods, seed)
                    false += len(alarms(monitor, traffic(kind, pods, 1000 + seed), arguments.ticks))
                    late = monitor_of(use, kind, pods, seed)
                    ticks = traffic(kind, pods, 2000 + seed, arguments.shift)
                    delays.append(next(iter(alarms(late, ticks, arguments.ticks, stop=True)), arguments.ticks) + 1)
                cells.append(f"{false} | {np.median(delays):.0f}")
            print(f"| {kind} | {pods} | " + " | ".join(cells + ["|"] * (3 - len(cells))), "|", flush=True)


if __name__ == "__main__":
    main()
