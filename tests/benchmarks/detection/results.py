"""What a case measured, with bounds that hold with a confidence of 99 %."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import Any

CONFIDENCE = 0.99
NORMAL_QUANTILE = 2.326  # one-sided
HALVINGS = 60


@dataclass(frozen=True)
class Judged:
    """A line of the report: what was found, its bound, and whether it is what was wanted.

    `met` is None where nothing was wanted. `figures` are plain numbers for pictures.
    """

    measured: str
    bound: str = ""
    met: bool | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def false_alarms(outcomes: Sequence[int], allowed: float, most: float | None = 1.0) -> Judged:
    """Alarms of runs over the `allowed` number in each; the larger of Poisson's bound and that by the runs' spread."""
    total, runs = sum(outcomes), len(outcomes)
    mean = total / runs
    upper = poisson_upper(total) / runs
    if runs > 1:
        upper = max(upper, mean + NORMAL_QUANTILE * stdev(outcomes) / math.sqrt(runs))
    ratio, bound = mean / allowed, upper / allowed
    figures = {"alarms": total, "allowed": allowed * runs, "ratio": ratio, "upper": bound}
    text = f"{ratio:.2f} ({total} where {allowed * runs:.3g} were allowed)"
    return Judged(text, f"<= {bound:.2f}", None if most is None else bound <= most, figures)


def with_lower_bound(alarms: Judged) -> Judged:
    """Return what `false_alarms` found with both bounds: missed above 1, met below, undecided around 1."""
    least = poisson_lower(alarms.figures["alarms"]) / alarms.figures["allowed"]
    met = False if least > 1 else alarms.met or None
    bound = f"{least:.2f} - {alarms.figures['upper']:.2f}"
    return replace(alarms, bound=bound, met=met, figures={**alarms.figures, "lower": least})


def mean_ratio(outcomes: Sequence[float], least: float, most: float | None, unit: str = "rows") -> Judged:
    """The mean of runs over the least possible, and its upper bound."""
    mean, half = mean_and_half(outcomes)
    figures = {"least": least, "mean": mean, "ratio": mean / least, "upper": (mean + half) / least}
    text = f"{mean / least:.2f} x ({mean:.0f} of {least:.0f} {unit})"
    met = None if most is None else mean / least <= most
    return Judged(text, f"<= {(mean + half) / least:.2f} x", met, figures)


def mean_at_most(outcomes: Sequence[float], most: float | None, unit: str) -> Judged:
    mean, half = mean_and_half(outcomes)
    digits = 2 if mean < 10 else 0
    text = f"{mean:.{digits}f} {unit}"
    met = None if most is None else mean <= most
    return Judged(text, f"<= {mean + half:.{digits}f}", met, {"mean": mean, "upper": mean + half})


def share_at_least(outcomes: Sequence[bool], least: float | None) -> Judged:
    """How many runs were as wanted, and the lower bound of the share (Clopper and Pearson)."""
    good, runs = sum(map(bool, outcomes)), len(outcomes)
    lower = binomial_lower(good, runs)
    met = None if least is None else good >= least * runs
    return Judged(f"{good} of {runs}", f">= {lower:.0%}", met, {"share": good / runs, "lower": lower})


def every(outcomes: Sequence[bool]) -> Judged:
    good = sum(map(bool, outcomes))
    return Judged(f"{good} of {len(outcomes)}", "", good == len(outcomes), {"share": good / len(outcomes)})


def one(check: Callable[[Any], Judged]) -> Callable[[Sequence[Any]], Judged]:
    """A judge of cases with a single run."""
    return lambda outcomes: check(outcomes[0])


def mean_and_half(outcomes: Sequence[float]) -> tuple[float, float]:
    """The mean, and how far above it its upper bound is."""
    spread = stdev(outcomes) if len(outcomes) > 1 else math.nan
    return fmean(outcomes), NORMAL_QUANTILE * spread / math.sqrt(len(outcomes))


def poisson_upper(count: int) -> float:
    """The largest mean under which so few as `count` events are not rarer than one in a hundred (Garwood)."""
    return _root(lambda mean: _poisson_below(count, mean) - (1 - CONFIDENCE), 0.0, 20.0 + 4 * count)


def poisson_lower(count: int) -> float:
    """The smallest mean under which so many as `count` events are not rarer than one in a hundred (Garwood)."""
    return (
        _root(lambda mean: 1 - _poisson_below(count - 1, mean) - (1 - CONFIDENCE), 0.0, 1.0 + count) if count else 0.0
    )


def binomial_lower(good: int, runs: int) -> float:
    if good == 0:
        return 0.0
    return _root(lambda share: _binomial_from(good, runs, share) - (1 - CONFIDENCE), 0.0, 1.0)


def _poisson_below(count: int, mean: float) -> float:
    logs = [-mean + k * math.log(mean) - math.lgamma(k + 1) if mean > 0 else -math.inf * k for k in range(count + 1)]
    return sum(map(math.exp, logs))


def _binomial_from(good: int, runs: int, share: float) -> float:
    return sum(math.comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in range(good, runs + 1))


def _root(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a monotone function changes its sign between `low` and `high`."""
    rising = value(high) > 0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if (value(middle) > 0) == rising else (middle, high)
    return (low + high) / 2
