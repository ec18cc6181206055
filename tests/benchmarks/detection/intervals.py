"""Intervals of the effect sizes: how often they contain the distance of the distributions, and how wide they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist, fmean
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch, Floats, Ints
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.comparisons import COMPARISONS
from pilotfish.detectors.comparisons.effects import EffectSizeEstimator
from pilotfish.detectors.profile.feature import Feature
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from tests.benchmarks.detection.results import Judged
from tests.benchmarks.detection.runner import Case

ROWS, SHIFTS, REFERENCE_ROWS = (100, 300, 1000, 10_000), (0.0, 0.1, 0.5, 1.0), 10_000
MEASURES = ("psi", "jensen_shannon_distance", "chi_square", "ks", "wasserstein")
INFINITE = ("chi_square", "psi")  # where one distribution has no mass and the other has
LARGE = 10**15  # counts of it are probabilities
LEAST = 0.9
CATEGORIES, TILT = 30, np.linspace(-1, 1, 30)
NORMAL = np.vectorize(NormalDist().cdf, otypes=[float])
LOG_SD = float(np.sqrt((np.e - 1) * np.e))  # of the exponential of a standard normal value


@dataclass(frozen=True)
class Process:
    """Numbers with a known distribution function; a shift is in its standard deviations."""

    draw: Callable[[np.random.Generator, int], Floats]
    below: Callable[[Floats], Floats]
    sd: float = 1.0
    dependent: bool = False


def _autoregressive(rng: np.random.Generator, rows: int, share: float = 0.9) -> Floats:
    out, noise = np.empty(rows), rng.normal(size=rows) * np.sqrt(1 - share**2)
    out[0] = rng.normal()
    for row in range(1, rows):
        out[row] = share * out[row - 1] + noise[row]
    return out


def _log_normal_below(x: Floats) -> Floats:
    below: Floats = NORMAL(np.log(np.maximum(x, 1e-300)))
    return below


PROCESSES = {
    "normal": Process(lambda rng, rows: rng.normal(size=rows), NORMAL),
    "uniform": Process(lambda rng, rows: rng.random(rows), lambda x: np.clip(x, 0.0, 1.0), 12**-0.5),
    "skewed": Process(lambda rng, rows: rng.lognormal(size=rows), _log_normal_below, LOG_SD),
    "dependent rows": Process(_autoregressive, NORMAL, dependent=True),
}


def covered(seeds: Sequence[int], *, name: str) -> list[dict[str, list[tuple[bool, float]]]]:
    """For each seed, by measure: whether each interval contains the truth, and its width, over all rows and shifts."""
    random = [np.random.default_rng([seed, len(name)]) for seed in seeds]
    if name == "categories":
        return [_of_categories(rng) for rng in random]
    return [_of_numbers(rng, PROCESSES[name]) for rng in random]


def _of_numbers(rng: np.random.Generator, process: Process) -> dict[str, list[tuple[bool, float]]]:
    data = {"x": process.draw(rng, REFERENCE_ROWS)}
    profile = build_profile(data, exchangeable=not process.dependent)
    feature = profile.feature("x")
    found: dict[str, list[tuple[bool, float]]] = {name: [] for name in MEASURES}
    for shift in SHIFTS:
        for rows in ROWS:
            truth = _truth(feature, process, shift * process.sd, rows)
            counting = TickCounts(profile)
            counting.add(Batch({"x": process.draw(rng, rows) + shift * process.sd}, rows))
            _judge(feature, counting.take(), truth, found)
    return found


def _of_categories(rng: np.random.Generator) -> dict[str, list[tuple[bool, float]]]:
    names = np.array([f"c{place:02}" for place in range(CATEGORIES)])
    p = 1 / np.arange(1, CATEGORIES + 1)
    p /= p.sum()
    profile = build_profile({"x": rng.choice(names, REFERENCE_ROWS, p=p)}, exchangeable=True)
    feature = profile.feature("x")
    tilt = (TILT - p @ TILT) / np.sqrt(p @ (TILT - p @ TILT) ** 2)
    place = [int(label[1:]) if label.startswith("c") else -1 for label in feature.labels]
    positions = np.zeros(len(place))
    found: dict[str, list[tuple[bool, float]]] = {name: [] for name in MEASURES[:3]}
    for shift in SHIFTS:
        q = p * np.exp(shift * tilt)
        q /= q.sum()
        large = _large(p, place), _large(q, place)
        for rows in ROWS:
            truth = {
                name: COMPARISONS[name](*(_at_least(large, rows) if name in INFINITE else large), positions).value
                for name in found
            }
            counting = TickCounts(profile)
            counting.add(Batch({"x": rng.choice(names, rows, p=q)}, rows))
            _judge(feature, counting.take(), truth, found)
    return found


def _large(p: Floats, place: list[int]) -> Ints:
    return np.array([round(LARGE * p[at]) if at >= 0 else 0 for at in place], np.int64)


def _at_least(large: tuple[Ints, Ints], rows: int) -> tuple[Ints, Ints]:
    """Return counts of at least half a row where the other sample has rows: else PSI and chi-square are infinite."""
    reference, current = large
    least, least_current = LARGE // (2 * REFERENCE_ROWS), LARGE // (2 * rows)
    return np.maximum(reference, np.minimum(least, current)), np.maximum(current, np.minimum(least_current, reference))


def _truth(feature: Feature, process: Process, shift: float, rows: int) -> dict[str, float]:
    """Return the distances of the distributions: on the bins of the feature, and Wasserstein without bins.

    The unit of Wasserstein is the standard deviation of the reference rows.
    """
    bins, estimator = feature.bins, EffectSizeEstimator.of(feature)
    assert isinstance(bins, NumericBins)
    edges = np.concatenate([[-np.inf], bins.cuts, [np.inf]])
    large = [
        np.round(LARGE * np.concatenate([[0], np.diff(process.below(edges - move)), [0, 0]])).astype(np.int64)
        for move in (0.0, shift)
    ]
    positions = np.concatenate([np.arange(len(edges) + 1, dtype=float), [np.nan]])
    truth = {}
    for name in MEASURES[:-1]:
        grouped = estimator.grouped(name, large[0]), estimator.grouped(name, large[1])
        truth[name] = COMPARISONS[name](*(_at_least(grouped, rows) if name in INFINITE else grouped), positions).value
    assert estimator.scale is not None
    return {**truth, "wasserstein": shift / estimator.scale.sd}


def _judge(feature: Feature, counts: Any, truth: dict[str, float], found: dict[str, list[tuple[bool, float]]]) -> None:
    sizes = EffectSizeEstimator.of(feature).measure(counts.bin_counts, counts.excess[0], 0, 0, 0)
    for name, kept in found.items():
        score = getattr(sizes, name)
        kept.append((score.low - 1e-9 <= truth[name] <= score.high + 1e-9, score.high - score.low))


def judge_measure(outcomes: Sequence[dict[str, list[tuple[bool, float]]]], *, measure: str) -> Judged:
    """The lowest coverage over rows and shifts, and the mean width with each number of rows at 1 sd.

    Chi-square has no target: a bin with a handful of reference rows dominates it, which no interval of it can know.
    """
    cells = [[run[measure][at] for run in outcomes] for at in range(len(SHIFTS) * len(ROWS))]
    coverage = [fmean(inside for inside, _ in cell) for cell in cells]
    width = [fmean(size for _, size in cell) for cell in cells]
    worst = int(np.argmin(coverage))
    at_one = ", ".join(f"{value:.2g}" for value in width[-len(ROWS) :])
    text = (
        f"{coverage[worst]:.1%} ({ROWS[worst % len(ROWS)]:,} rows, {SHIFTS[worst // len(ROWS)]:g} sd), mean "
        f"{fmean(coverage):.1%}; width at 1 sd {at_one}"
    )
    met = None if measure == "chi_square" else coverage[worst] >= LEAST
    return Judged(text, "", met, {"coverage": coverage, "width": width})


def cases(quick: bool) -> list[Case]:
    """Each process and measure."""
    runs = 20 if quick else 400
    return [
        Case(
            f"{name}: {measure.replace('_', ' ')}",
            "" if measure == "chi_square" else ">= 90 %",
            covered,
            partial(judge_measure, measure=measure),
            runs,
            runs // 4,
            {"name": name},
        )
        for name in (*PROCESSES, "categories")
        for measure in (MEASURES if name != "categories" else MEASURES[:3])
    ]
