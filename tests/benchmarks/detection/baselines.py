"""The same stream through other detectors with their defaults: false alarms without drift, and delays with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Column
from pilotfish.detectors.detection.replay import Replay, tick_spans_by_rows
from pilotfish.detectors.reference.build import build_profile
from tests.benchmarks.detection.results import Judged
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.speed import outside
from tests.benchmarks.detection.traffic import MONTH, settings

SHIFT, REFERENCE, ROWS_A_TICK, PER = 0.5, 10_000, 10, 100_000
Found = dict[str, Any]  # alarms before the change, and rows from it to the first one


def stream(seed: int, quiet: int, after: int) -> np.ndarray:
    """Standard normal values, larger by .5 from row `quiet` on."""
    values = np.random.default_rng([seed, 14]).normal(size=quiet + after)
    values[quiet:] += SHIFT
    return values


def ours(seeds: Sequence[int], *, quiet: int, after: int) -> list[Found]:
    """Pilotfish with a reference of 10,000 rows, A = 43,200 ticks of ten rows."""
    found = []
    for seed in seeds:
        reference = np.random.default_rng([seed, 15]).normal(size=REFERENCE)
        replay = Replay(build_profile({"x": reference}, exchangeable=True), settings(MONTH, 0.0025))
        data, spans = {"x": Column(stream(seed, quiet, after))}, tick_spans_by_rows(quiet + after, ROWS_A_TICK)
        rows = [closed.row for closed in replay.run(data, spans) for _ in closed.alarms]
        late = [row - quiet for row in rows if row > quiet]
        found.append({"before": len(rows) - len(late), "after": late[0] if late else None})
    return found


def river(seeds: Sequence[int], *, detector: str, quiet: int, after: int) -> list[Found]:
    arrays = [{"stream": stream(seed, quiet, after)} for seed in seeds]
    return [outside("with_river.py", one, detector=detector, task="alarms", change=quiet) for one in arrays]


def always(seeds: Sequence[int], *, quiet: int, after: int) -> list[Found]:
    """What delays alone would call the best detector."""
    assert after
    return [{"before": quiet, "after": 1} for _ in seeds]


def _judge(outcomes: Sequence[Found], quiet: int, after: int) -> Judged:
    rate = sum(found["before"] for found in outcomes) / (quiet * len(outcomes)) * PER
    delays = [found["after"] for found in outcomes if found["after"] is not None]
    lost = len(outcomes) - len(delays)
    when = f"first alarm after {np.median(delays):.0f} rows" if delays else "no alarm"
    text = f"{rate:.3g} false alarms per 100,000 rows; {when}" + (f"; none within {after:,} in {lost}" if lost else "")
    return Judged(text, "", None, {"per_100000": rate, "after": float(np.median(delays)) if delays else None})


def cases(quick: bool) -> list[Case]:
    shrink = 10 if quick else 1
    lines: list[tuple[str, Any, dict[str, Any], int, int]] = [
        ("Pilotfish", ours, {}, 200_000, 10),
        ("an alarm at every row", always, {}, 100_000, 1),
        ("River's ADWIN", river, {"detector": "ADWIN"}, 200_000, 10),
        ("River's PageHinkley", river, {"detector": "PageHinkley"}, 200_000, 10),
        ("River's KSWIN", river, {"detector": "KSWIN"}, 20_000, 5),
    ]
    found = []
    for name, measure, options, quiet, runs in lines:
        size = {"quiet": quiet // shrink, "after": 2000}
        judge = partial(_judge, quiet=quiet // shrink, after=2000)
        found.append(Case(name, "-", measure, judge, min(2, runs) if quick else runs, 5, {**options, **size}))
    return found
