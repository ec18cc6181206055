"""False alarms where rows follow one another, and the delay of one standard deviation beside them.

    python -m tests.benchmarks.detection_serial [--runs 3] [--ticks 4000] [--budget 200]

Fourteen reference days of one-minute ticks, ten rows each, in five columns; live traffic at the same and at twenty
times the rate. Every alarm starts the evidence afresh and nothing else, so that each one counts (a user sees one page
for a lasting cause). The delay is in ticks, from a shift of one column by 1 sd to the alarm.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.build import build_profile
from pilotfish.detectors.family import FamilyDetector
from pilotfish.detectors.profile import Profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.tables import family_tables

DAY_TICKS, REFERENCE_DAYS, ROWS, COLUMNS = 1440, 14, 10, 5
Level = Callable[[int, np.random.Generator], np.ndarray]


def wander(memory: float, sd: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """A stationary autoregressive level [count]."""
    steps, level = rng.normal(size=count) * np.sqrt(1 - memory**2), rng.normal()
    out = np.empty(count)
    for i, step in enumerate(steps):
        level = memory * level + step
        out[i] = level
    return out * sd


def days(sd: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """A level [count] that every day draws anew."""
    return np.repeat(rng.normal(size=count // DAY_TICKS + 1) * sd, DAY_TICKS)[:count]


LEVELS: dict[str, Level] = {
    "independent rows": lambda ticks, _: np.zeros(ticks),
    "ticks AR .99, .3 sd": lambda ticks, rng: wander(0.99, 0.3, ticks, rng),
    "ticks AR .999, .3 sd": lambda ticks, rng: wander(0.999, 0.3, ticks, rng),
    "day effects, .2 sd": lambda ticks, rng: days(0.2, ticks, rng),
    "a day's cycle, .5 sd": lambda ticks, _: 0.5 * np.sin(2 * np.pi * np.arange(ticks) / DAY_TICKS),
}  # fmt: skip


def profile_of(levels: list[np.ndarray], rng: np.random.Generator) -> Profile:
    ticks = REFERENCE_DAYS * DAY_TICKS
    data = {f"x{i}": np.repeat(level[:ticks], ROWS) + rng.normal(size=ticks * ROWS) for i, level in enumerate(levels)}
    return build_profile(data, times=np.repeat(np.arange(ticks) * 60.0, ROWS), tolerance=0.0)


def alarms(
    profile: Profile, levels: list[np.ndarray], budget: float, rows: int, rng: np.random.Generator, shift: float = 0.0
) -> list[int]:
    """Ticks of live traffic at which evidence crossed its threshold, x0 shifted."""
    family = FamilyDetector(family_tables(profile, DriftSettings(per_seconds=60 * budget, tolerance=0.0))[0])
    counts, found = TickCounts(profile), []
    for tick in range(len(levels[0])):
        values = {f"x{i}": level[tick] + rng.normal(size=rows) for i, level in enumerate(levels)}
        values["x0"] += shift
        counts.add(Batch(values, rows))
        steps, active = family.table.increments(counts.take().cells)
        family.evidence.step(tick, steps, active)
        if family.log_ratio >= 0:
            found.append(tick)
            family.evidence.log_r[:] = -np.inf
            if shift:
                break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ticks", type=int, default=4000, help="live ticks of each run")
    parser.add_argument("--budget", type=float, default=200.0, help="ticks for each false alarm that is allowed")
    options = parser.parse_args()
    reference_ticks = REFERENCE_DAYS * DAY_TICKS
    title = f"alarms / allowed, one in {options.budget:,.0f} ticks"
    print(f"{title:40} {'rate':>5} {'mean':>7} {'99 % upper':>11} {'1 sd after':>11}")
    for name, make in LEVELS.items():
        for factor in (1, 20):
            found, delays = [], []
            for run in range(options.runs):
                rng = np.random.default_rng([run, factor])
                whole = [make(reference_ticks + options.ticks, rng) for _ in range(COLUMNS)]
                profile = profile_of(whole, rng)
                live = [level[reference_ticks:] for level in whole]
                found.append(len(alarms(profile, live, options.budget, ROWS * factor, rng)))
                delays += alarms(profile, live, options.budget, ROWS * factor, rng, 1.0) or [options.ticks]
            allowed = options.ticks / options.budget
            spread = max(float(np.std(found)) / np.sqrt(options.runs), np.sqrt(sum(found) + 1) / options.runs)
            mean = float(np.mean(found))
            upper = (mean + 2.33 * spread) / allowed
            print(
                f"  {name:38} {factor:>4}x {mean / allowed:7.2f} {upper:11.2f} {np.mean(delays) + 1:5.0f} ticks",
                flush=True,
            )


if __name__ == "__main__":
    main()
