"""Each related column of real data permuted in turn: its own distribution stays, its relations are gone.

    python -m tests.benchmarks.detection.permuted

Rows are shuffled; two thirds are the reference. A line per column: rows to the alarm and the columns that it names.
"""

from __future__ import annotations

import sys

import numpy as np

from pilotfish.detectors.detection.replay import Replay, tick_spans_by_rows
from pilotfish.detectors.detection.results import Alarm
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.transforms.relations import RESIDUAL
from tests.benchmarks.detection.datasets import Columns, columns, rows_of, taken
from tests.benchmarks.detection.traffic import MONTH, settings

SOURCES = ("flights", "weather", "Elec2")
MOST_ROWS, LIVE_ROWS, QUIET_ROWS, ROWS_A_TICK, TOLERANCE = 30_000, 4200, 200, 20, 0.0025


def alarms_of(profile: Profile, live: Columns) -> list[tuple[int, Alarm]]:
    """Every alarm, with the number of live rows up to it."""
    replay = Replay(profile, settings(MONTH, TOLERANCE))
    closed = replay.run(live, tick_spans_by_rows(rows_of(live), ROWS_A_TICK))
    return [(tick.row, alarm) for tick in closed for alarm in tick.alarms]


def tried(source: str, rng: np.random.Generator) -> list[tuple[str, int | None]]:
    """Each related column, and the rows from its change to an alarm that names it or a partner of it."""
    whole = columns(source)
    data = taken(whole, rng.permutation(rows_of(whole))[:MOST_ROWS])
    cut = 2 * rows_of(data) // 3
    profile = build_profile(taken(data, slice(0, cut)), exchangeable=True)
    live = taken(data, slice(cut, cut + LIVE_ROWS))
    print(f"{source}: {len(alarms_of(profile, live))} alarms without a change")
    found: list[tuple[str, int | None]] = []
    for feature in profile.features:
        if not feature.name.startswith(RESIDUAL):
            continue
        name = feature.name.removeprefix(RESIDUAL)
        rows = np.r_[np.arange(QUIET_ROWS), QUIET_ROWS + rng.permutation(rows_of(live) - QUIET_ROWS)]
        alarms = alarms_of(profile, {**live, name: live[name].take(rows)})
        named = [row - QUIET_ROWS for row, alarm in alarms if name in _columns(alarm)]
        found.append((name, named[0] if named else None))
        names = [feature.name for feature in alarms[0][1].features] if alarms else []
        print(f"  {name}: {len(alarms)} alarms, named after {found[-1][1]} rows; {', '.join(names)}", flush=True)
    return found


def _columns(alarm: Alarm) -> set[str]:
    named = {feature.name.removeprefix(RESIDUAL) for feature in alarm.features}
    return named.union(*(feature.partners for feature in alarm.features))


def main() -> int:
    """Try all sources, and print how many columns were named and how soon."""
    rng = np.random.default_rng(1)
    found = [item for source in SOURCES for item in tried(source, rng)]
    delays = [rows for _, rows in found if rows is not None]
    print(f"{len(delays)} of {len(found)} columns named, after {min(delays)} to {max(delays)} rows, "
          f"half of them within {np.median(delays):.0f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
