"""Compare a pool with equal shares and with each monitor's own recommendation, over several kinds of load.

python -m tests.benchmarks.pools            # print the table
python -m tests.benchmarks.pools --write    # also write it into docs/resizing-pools.md
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pilotfish.sidecar.settings.resources import CpuRange, Resources
from pilotfish.sidecar.simulate.plant import STEP
from pilotfish.sidecar.simulate.trace import Floats
from pilotfish.sidecar.simulate.usage.outcome import UsageOutcome
from pilotfish.sidecar.simulate.usage.play import PlayedUsage, SimulatedModel, play_usage
from pilotfish.sidecar.simulate.usage.policies import CappedPolicy, PoolPolicy, ResourcePolicy, UnchangedPolicy
from pilotfish.sidecar.simulate.usage.trace import UsageTrace
from tests.benchmarks.__main__ import machine

DOCUMENT = Path(__file__).parents[2] / "docs" / "resizing-pools.md"
BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
BUDGET = 4.0  # cores
DAYS, SAMPLE = 2, 60.0  # the first day is for the recommender to learn; seconds between two samples
JUDGED_STEPS = round(86_400 / STEP)
SECONDS = {"a": 0.02, "b": 0.05, "c": 0.1}  # of CPU for a request
CLIENTS = 16.0  # of a busy closed loop
TURN = 10.0 / 60.0  # hours between two changes of closed loops
HELD_OUT = 2  # a seed of bursts by which nothing was chosen

Loads = Mapping[str, Floats]


def bump(hours: Floats, middle: float, width: float) -> Floats:
    """Return a daily peak of height 1."""
    away = np.abs((hours - middle + 12.0) % 24.0 - 12.0)
    found: Floats = np.exp(-((away / width) ** 2))
    return found


def opposite(hours: Floats, height: float) -> Loads:
    """Return peaks at noon and at midnight, and a third load that is steady."""
    return {
        "a": 0.2 + height * bump(hours, 12.0, 4.0),
        "b": 0.2 + height * bump(hours, 0.0, 4.0),
        "c": np.full_like(hours, 0.3),
    }


def opposite_within(hours: Floats, _chance: np.random.Generator) -> Loads:
    """Return opposite peaks that need 90 % of an equal share."""
    return opposite(hours, 1.0)


def opposite_beyond(hours: Floats, _chance: np.random.Generator) -> Loads:
    """Return opposite peaks that need twice an equal share."""
    return opposite(hours, 2.5)


def together(hours: Floats, _chance: np.random.Generator) -> Loads:
    """Return peaks at the same time, of different heights; the largest needs 90 % of an equal share."""
    peak = bump(hours, 12.0, 4.0)
    return {"a": 0.2 + 1.0 * peak, "b": 0.15 + 0.85 * peak, "c": 0.1 + 0.4 * peak}


def bursty(hours: Floats, chance: np.random.Generator) -> Loads:
    """Return bursts of 20 minutes on average, one in 80 minutes, each model for itself."""
    found = {}
    for name, height in (("a", 1.0), ("b", 0.9), ("c", 0.8)):
        on, left, values = False, 0.0, []
        for _ in hours:
            if left <= 0.0:
                on = not on
                left = chance.exponential(20.0 if on else 60.0)
            left -= SAMPLE / 60.0
            values.append(0.15 + (height if on else 0.0))
        found[name] = np.array(values)
    return found


def closed(hours: Floats, _chance: np.random.Generator) -> Loads:
    """Return clients of two closed loops, of which one is busy at a time, and cores of a third load that is open."""
    on = np.floor(hours / TURN) % 2.0
    return {"a": CLIENTS * on, "b": CLIENTS * (1.0 - on), "c": np.full_like(hours, 0.3)}


SCENARIOS: Mapping[str, Callable[[Floats, np.random.Generator], Loads]] = {
    "opposite peaks, 90 % of an equal share": opposite_within,
    "opposite peaks, 200 % of an equal share": opposite_beyond,
    "peaks at the same time, 35 to 90 %": together,
    "random bursts, 70 to 85 %": bursty,
    "random bursts, a seed that was held out": bursty,
    "closed loops that change each 10 minutes": closed,
}
SEEDS = {"random bursts, a seed that was held out": HELD_OUT}
CLOSED = {"closed loops that change each 10 minutes": frozenset(("a", "b"))}
POLICIES: Mapping[str, Callable[[Mapping[str, Resources]], ResourcePolicy]] = {
    "pool": lambda documents: PoolPolicy(documents, BUDGET),
    "equal shares": UnchangedPolicy,
    "own recommendations, cut": lambda documents: CappedPolicy(documents, BUDGET),
}


def models(loads: Loads, hours: Floats, loops: frozenset[str]) -> dict[str, SimulatedModel]:
    """Return the models with their loads; each has one pod. The loads of `loops` are clients, all others cores."""
    found = {}
    for name, cores in loads.items():
        times = hours * 3600.0
        trace = UsageTrace(name, times, cores, None, None, ())
        settings = Resources(container="model", cpu=CpuRange(min=0.1, max=BUDGET))
        one = SimulatedModel(trace, settings, 1, SECONDS[name], BUDGET / len(loads), 2.0**30)
        found[name] = replace(one, clients=cores) if name in loops else one
    return found


def judged(played: PlayedUsage) -> PlayedUsage:
    """Return the last day."""
    known = played.known.copy()
    known[:-JUDGED_STEPS] = False
    return replace(played, known=known)


def measured(scenario: str, policy: str) -> UsageOutcome:
    """Return the outcome of a scenario."""
    hours, seed = np.arange(0.0, DAYS * 24.0 + 1e-9, SAMPLE / 3600.0), SEEDS.get(scenario, 0)
    loads = SCENARIOS[scenario](hours, np.random.default_rng(seed))
    kept = models(loads, hours, CLOSED.get(scenario, frozenset()))
    chosen = POLICIES[policy]({name: model.settings for name, model in kept.items()})
    return UsageOutcome.of(map(judged, play_usage(kept, chosen, 30.0, seed).values()))


def markdown() -> str:
    """Measure all, and return the table."""
    lines = [
        "| load | shares | mean | p95 | given up | resizes a day | mean, relative to the pool | p95, relative |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for scenario in SCENARIOS:
        base: tuple[float, float] | None = None
        for policy in POLICIES:
            found = measured(scenario, policy)
            mean, tail, lost = found.mean, found.tail, found.given_up / found.requests
            resizes = found.resizes / DAYS
            base = base or (mean, tail)
            lines.append(
                f"| {scenario} | {policy} | {mean * 1000:,.0f} ms | {tail * 1000:,.0f} ms | {lost:.1%} | "
                f"{resizes:.0f} | {mean / base[0]:.2g} | {tail / base[1]:.2g} |"
            )
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.pools", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/resizing-pools.md")
    write, found = parser.parse_args().write, markdown()
    if write:
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{machine()}\n\n{found}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
