"""Is the demo lucky? Its data, model and settings through the library alone, many times: python -m tests.demo.luck

Each replay begins on another day and changes on another; some leave out flights, some shuffle the stable days, and a
day may straddle two ticks. Each retraining learns other days and is watched until the next 20 or the end of the data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.sidecar.demo import reference
from pilotfish.sidecar.demo.app import PLAN
from pilotfish.sidecar.demo.flights import TARGET, Flights, in_kilometres, load, mixed_days
from pilotfish.sidecar.demo.model import RidgeModel, fit

REPLAYS, RETRAININGS, WATCHED = 40, 20, 20
SETTINGS = DriftSettings(tick_seconds=reference.TICK)
Alarm = tuple[int, tuple[str, ...]]


def first_alarm(model: RidgeModel, profile: Profile, ticks: Iterable[list[Flights]]) -> Alarm | None:
    """Return the first alarm as (number of the tick, features named), None without one."""
    monitor, counts = DriftMonitor(profile, SETTINGS), TickCounts(profile)
    for number, parts in enumerate(ticks):
        for rows in parts:
            counts.add(Batch(dict(rows.columns), rows=len(rows)))
            predictions = {TARGET: model.predict(rows.columns)}
            counts.add(Batch(predictions, rows=len(rows), side="prediction"))
        alarms = monitor.close_tick(number, counts.take()).alarms
        if alarms:
            return number, tuple(feature.name for alarm in alarms for feature in alarm.features)
    return None


def straddling(days: list[Flights], share: float) -> Iterable[list[Flights]]:
    """Yield the parts of each tick when the last `share` of each day falls into the next one."""
    rest: list[Flights] = []
    for day in days:
        cut = round(len(day) * (1 - share))
        yield [*rest, day.rows(slice(0, cut))]
        rest = [day.rows(slice(cut, len(day)))]


def replay(flights: Flights, model: RidgeModel, profile: Profile, random: np.random.Generator, shuffled: bool) -> str:
    """Return the result of one replay: how many ticks after the change, and which features."""
    first = PLAN.first_day + int(random.integers(8))
    change = first + int(random.integers(10, 30))
    numbers = np.arange(first, change)
    if shuffled:
        random.shuffle(numbers)
    kept = random.choice([0.5, 0.8, 1.0])
    days = []
    for number in (*numbers.tolist(), *range(change, change + 5)):
        day = flights.days(number, number + 1)
        day = day.rows(random.random(len(day)) < kept)
        days.append(in_kilometres(day, PLAN.change_origin) if number >= change else day)
    alarm = first_alarm(model, profile, straddling(days, random.uniform(0, 0.5)))
    if alarm is None:
        return "no alarm within 5 days"
    after = alarm[0] - len(numbers)
    return "FALSE ALARM" if after < 0 else f"{after} ticks after the change: {', '.join(alarm[1])}"


def retraining(flights: Flights, random: np.random.Generator) -> str:
    """Return the result of the days after one retraining."""
    start = int(random.integers(100, 125))
    end = start + int(random.integers(13, 17))
    learnt = in_kilometres(flights.days(start, end), PLAN.change_origin)
    model = fit(learnt.columns, learnt.air_time)
    last = min(end + WATCHED, int(flights.day[-1]) + 1)
    days = [[in_kilometres(flights.days(day, day + 1), PLAN.change_origin)] for day in range(end, last)]
    alarm = first_alarm(model, reference.build(model, learnt), days)
    return "quiet" if alarm is None else f"FALSE ALARM: {', '.join(alarm[1])}"


def main() -> None:
    """Print how often each result occurred."""
    random = np.random.default_rng(1)
    flights = mixed_days(load(), random)
    earlier = flights.days(0, PLAN.first_day)
    model = fit(earlier.columns, earlier.air_time)
    profile = reference.build(model, earlier)
    replays = Counter(replay(flights, model, profile, random, bool(index % 2)) for index in range(REPLAYS))
    for what, count in replays.most_common():
        print(f"{count:3} of {REPLAYS} replays      {what}")
    for what, count in Counter(retraining(flights, random) for _ in range(RETRAININGS)).most_common():
        print(f"{count:3} of {RETRAININGS} retrainings  {what}")


if __name__ == "__main__":
    main()
