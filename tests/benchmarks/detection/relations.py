"""A correlation that breaks while each column keeps its distribution, errors that labels show, and named features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import LOSS_TOLERANCE
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.transforms.relations import RESIDUAL
from tests.benchmarks.detection.columns import Normal
from tests.benchmarks.detection.delays import LOG_A
from tests.benchmarks.detection.results import Judged, mean_and_half, mean_ratio
from tests.benchmarks.detection.runner import Case, NotMeasuredError
from tests.benchmarks.detection.traffic import MONTH, Traffic, reference, settings

N0, TOLERANCE = 100_000, 0.0025
PAIR_COLUMNS, CORRELATION, PAIR_INFORMATION = 30, 0.8, 1.27
NAMING_FEATURES, DRIFTED, NAMING_ROWS = 100, 5, 10
LATER = 2.5  # times the delay, after which the listing is judged
ERROR, WORSE, LABEL_ROWS = 0.10, 0.15, 25
ERROR_INFORMATION = WORSE * np.log(WORSE / ERROR) + (1 - WORSE) * np.log((1 - WORSE) / (1 - ERROR))


def pairs(count: int, rng: np.random.Generator, broken: bool, columns: int = PAIR_COLUMNS) -> dict[str, np.ndarray]:
    """Columns in pairs with a correlation of .8; the first pair may be independent."""
    out = {}
    for pair in range(columns // 2):
        one, other = rng.normal(size=(2, count))
        rho = 0.0 if broken and pair == 0 else CORRELATION
        out[f"x{2 * pair}"] = one
        out[f"x{2 * pair + 1}"] = rho * one + np.sqrt(1 - rho**2) * other
    return out


def correlation(seeds: Sequence[int], *, tolerance: float) -> list[dict[str, Any]]:
    """For each seed: rows to the alarm, the rows at which each of the pair was named, and others that were."""
    profile = build_profile(pairs(N0, np.random.default_rng([seeds[0], 8]), broken=False), exchangeable=True)
    if not any(feature.family == "multivariate" for feature in profile.features):
        raise NotMeasuredError("this build makes no features of several columns")
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 9])
        monitor, counts = DriftMonitor(profile, settings(MONTH, tolerance)), TickCounts(profile)
        named: dict[str, int] = {}
        alarmed: int | None = None
        for tick in range(2000):
            counts.add(Batch(pairs(1, rng, broken=tick >= 100), 1))
            result = monitor.close_tick(tick, counts.take())
            rows = tick - 99
            alarmed = rows if alarmed is None and result.alarms else alarmed
            if alarmed is not None:
                _note(named, monitor, rows)
                if rows >= 3 * alarmed:
                    break
        found.append({"delay": alarmed or 1900, "named": named})
    return found


def _note(named: dict[str, int], monitor: DriftMonitor, rows: int) -> None:
    """Store the row at which each column was first named: directly, by its residual, or as a partner."""
    for episode in monitor.status().episodes:
        for feature in episode.features:
            for name in (feature.name.removeprefix(RESIDUAL), *monitor.profile.partners.get(feature.name, ())):
                named.setdefault(name, rows)


def _judge_correlation(outcomes: Sequence[dict[str, Any]]) -> Judged:
    judged = mean_ratio([found["delay"] for found in outcomes], LOG_A / PAIR_INFORMATION, 4.0)
    at_once = sum(min(_both(found)) <= found["delay"] for found in outcomes)
    in_time = sum(max(_both(found)) <= 3 * found["delay"] for found in outcomes)
    runs = len(outcomes)
    text = f"{judged.measured}; one of the pair named at once in {at_once} of {runs}, both in time in {in_time}"
    met = bool(judged.met) and at_once >= 0.9 * runs and in_time >= 0.9 * runs
    return Judged(text, judged.bound, met, judged.figures)


def _both(found: dict[str, Any]) -> list[float]:
    return [found["named"].get(name, np.inf) for name in ("x0", "x1")]


def naming(seeds: Sequence[int], *, shift: float) -> list[dict[str, float]]:
    """For each seed: the share of wrong names and of found ones, once 2.5 times the delay has passed."""
    columns = [Normal()] * NAMING_FEATURES
    profile = reference(columns, N0, 0.0, [seeds[0], 10])
    found: list[dict[str, float]] = []
    traffic = None
    for seed in seeds:
        traffic = Traffic(profile, columns, settings(MONTH), [seed, 11], like=traffic)
        for _ in range(10):
            traffic.step(NAMING_ROWS)
        for position in range(DRIFTED):
            traffic.draw.change(Normal(shift), position)
        waited = _ticks_to_alarm(traffic)
        for _ in range(int(np.ceil((LATER - 1) * waited))):
            traffic.step(NAMING_ROWS)
        listed = {
            f.name for e in traffic.monitor.status().episodes if e.open for f in e.features if f.active and f.confirmed
        }
        right = listed & {f"x{i}" for i in range(DRIFTED)}
        found.append({"wrong": 1 - len(right) / max(len(listed), 1), "found": len(right) / DRIFTED})
    return found


def _ticks_to_alarm(traffic: Traffic) -> int:
    return next(tick for tick in range(1, 10_000) if traffic.step(NAMING_ROWS).alarms)


def _judge_naming(outcomes: Sequence[dict[str, float]]) -> Judged:
    wrong, wrong_half = mean_and_half([found["wrong"] for found in outcomes])
    right, right_half = mean_and_half([found["found"] for found in outcomes])
    text, bound = (
        f"{wrong:.1%} of the names wrong, {right:.0%} found",
        f"<= {wrong + wrong_half:.1%}, >= {right - right_half:.0%}",
    )
    return Judged(text, bound, wrong <= 0.1 and right >= 0.9, {"wrong": wrong, "found": right})


def labels(seeds: Sequence[int], *, tolerance: float) -> list[int]:
    """For each seed, labelled rows from a worse model to the alarm of the family `performance`."""
    rng = np.random.default_rng([seeds[0], 12])
    profile = build_profile(
        answers(N0, ERROR, rng), sides={"answer": "prediction", "truth": "label"}, exchangeable=True
    )
    if not any(feature.family == "performance" for feature in profile.features):
        raise NotMeasuredError("this build watches no labels")
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 13])
        allowed = replace(settings(MONTH), loss_tolerance=tolerance)
        monitor, counts, seen = DriftMonitor(profile, allowed), TickCounts(profile), 0
        for tick in range(2000):
            error = ERROR if tick < 10 else WORSE
            counts.add(Batch(answers(LABEL_ROWS, error, rng), LABEL_ROWS, side="label"))
            seen += LABEL_ROWS * (tick >= 10)
            alarms = monitor.close_tick(tick, counts.take()).alarms
            if seen and any(alarm.family == "performance" for alarm in alarms):
                break
        found.append(seen)
    return found


def answers(count: int, error: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A class that a model answers, and the true one; wrong with a probability, whatever the class."""
    truth = rng.random(count) < 0.5
    wrong = rng.random(count) < error
    return {"answer": np.where(truth ^ wrong, "yes", "no"), "truth": np.where(truth, "yes", "no")}


def cases_correlation(quick: bool) -> list[Case]:
    return [
        Case(
            name="correlation .8 -> 0 in 2 of 30 columns",
            target="<= 4 x; one of the pair named at once, both within 3 x the delay",
            measure=correlation,
            judge=_judge_correlation,
            runs=4 if quick else 40,
            chunk=4 if quick else 10,
            options={"tolerance": TOLERANCE},
        )
    ]


def cases_naming(quick: bool) -> list[Case]:
    return [
        Case(
            name=f"+ {shift:g} sd in 5 of 100 features",
            target="<= 10 % of the names wrong, >= 90 % found, at 2.5 x the delay",
            measure=naming,
            judge=_judge_naming,
            runs=4 if quick else 30,
            chunk=4 if quick else 10,
            options={"shift": shift},
            cause="five small shifts alarm together, sooner than one alone; 2.5 times that delay is early for the last",
        )
        for shift in (0.3, 0.5, 1.0)
    ]


def cases_labels(quick: bool) -> list[Case]:
    judge: Any = partial(mean_ratio, least=LOG_A / float(ERROR_INFORMATION), most=2.4)
    return [
        Case(
            name=f"error 10 % -> 15 %, tolerance {'.005' if tolerance else '0'}",
            target="<= 2.4 x",
            measure=labels,
            judge=judge,
            runs=6 if quick else 60,
            chunk=3 if quick else 10,
            options={"tolerance": tolerance},
        )
        for tolerance in (0.0, LOSS_TOLERANCE)
    ]
