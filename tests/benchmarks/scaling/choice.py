"""The target of each algorithm, chosen on the tuning half by a rule that was fixed before the first run.

- HPA: the cheapest target that misses at most 1 % of the minutes; if there is none, the one that misses the fewest.
- Pilotfish: the target that misses the fewest minutes, of those that cost no more than the HPA with its target.

Cost is the mean over the traces of pod-hours / ideal pod-hours. Misses are the mean share of missed minutes. So each
trace counts the same. Both algorithms choose from the same targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tests.benchmarks.scaling.contenders import HPA, PILOTFISH, TARGETS, Run
from tests.benchmarks.scaling.traces import TUNING

MOST_MISSED = 0.01


@dataclass(frozen=True)
class Mean:
    """The means of an algorithm with one target over traces."""

    cost: float
    missed: float


def mean(runs: Iterable[Run]) -> Mean:
    """Return the means over the traces of `runs`."""
    kept = list(runs)
    return Mean(fmean(run.pod_hours / run.ideal for run in kept), fmean(run.missed / run.judged for run in kept))


def select(runs: Iterable[Run], half: str, contender: str, target: float) -> list[Run]:
    """Return the runs of an algorithm with a target on a half, by trace."""
    wanted = (half, contender, target)
    return sorted((run for run in runs if (run.half, run.contender, run.target) == wanted), key=lambda run: run.trace)


def chosen(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the target of each algorithm, from the runs on the tuning half."""
    means = {
        name: {target: mean(select(runs, TUNING, name, target)) for target in TARGETS} for name in (HPA, PILOTFISH)
    }
    good = [target for target in TARGETS if means[HPA][target].missed <= MOST_MISSED]
    if good:
        first = min(good, key=lambda target: means[HPA][target].cost)
    else:
        first = min(TARGETS, key=lambda target: means[HPA][target].missed)
    limit = means[HPA][first].cost
    cheap = [target for target in TARGETS if means[PILOTFISH][target].cost <= limit] or [max(TARGETS)]
    return {HPA: first, PILOTFISH: min(cheap, key=lambda target: means[PILOTFISH][target].missed)}
