"""Faults put into shuffled real rows: how soon each is noticed, and whether the right column is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Column, missing_mask
from pilotfish.detectors.binning.categories import CategoryBins
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.detection.replay import Replay, tick_spans_by_rows
from pilotfish.detectors.profile.feature import Feature
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.transforms.relations import RESIDUAL
from tests.benchmarks.detection.datasets import Columns, columns, rows_of, taken
from tests.benchmarks.detection.results import Judged
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import MONTH, settings

SOURCES = ("flights", "weather", "Elec2")
MOST_ROWS, REFERENCE_SHARE, QUIET_ROWS, PATIENCE, ROWS_A_TICK = 30_000, 2 / 3, 200, 4000, 20
RAMP_ROWS = 3000  # until a slow change has reached one standard deviation
Change = Callable[[Column, Feature, np.random.Generator], Column]


def _numbers(column: Column) -> np.ndarray:
    values: np.ndarray = column.values.astype(np.float64)
    return values


def _shifted(column: Column, feature: Feature, _: np.random.Generator) -> Column:
    return Column(_numbers(column) + 0.5 * feature.bins.spread, column.missing)  # type: ignore[union-attr]


def _spread(column: Column, feature: Feature, _: np.random.Generator) -> Column:
    centre = feature.bins.centre  # type: ignore[union-attr]  # of numbers, as everywhere here
    return Column(centre + 1.5 * (_numbers(column) - centre), column.missing)


def _missing(column: Column, _: Feature, rng: np.random.Generator) -> Column:
    lost = rng.random(len(column.values)) < 0.1
    return Column(column.values, lost | missing_mask(column))


def _other_unit(column: Column, _: Feature, __: np.random.Generator) -> Column:
    return Column(_numbers(column) * 1000, column.missing)


def _ramp(column: Column, feature: Feature, _: np.random.Generator) -> Column:
    share = np.minimum(np.arange(len(column.values)) / RAMP_ROWS, 1.0)
    return Column(_numbers(column) + share * feature.bins.spread, column.missing)  # type: ignore[union-attr]


def _permuted(column: Column, _: Feature, rng: np.random.Generator) -> Column:
    return column.take(rng.permutation(len(column.values)))


def _renamed(column: Column, feature: Feature, _: np.random.Generator, other: int) -> Column:
    """The most frequent name and another one change places."""
    common = np.argsort(-feature.reference_counts, kind="stable")
    names = [feature.labels[i] for i in common if feature.roles[i] == "value"]
    one, other_name = names[0], names[min(other, len(names) - 1)]
    swap = {one: other_name, other_name: one}
    return Column(np.array([swap.get(value, value) for value in column.values.tolist()], dtype=object), column.missing)


NUMERIC: dict[str, Change] = {
    "+ .5 sd": _shifted,
    "sd x 1.5": _spread,
    "one value in ten missing": _missing,
    "another unit, x 1000": _other_unit,
    "a slow ramp to + 1 sd in 3,000 rows": _ramp,
    "its values permuted": _permuted,
}
NAMED: dict[str, Change] = {
    "the two most frequent categories swap": partial(_renamed, other=1),
    "the most frequent category and the fourth swap": partial(_renamed, other=3),
}
SWAPPED = "two columns swap"
KINDS = (*NUMERIC, *NAMED, SWAPPED)


def run(seeds: Sequence[int], *, source: str, kind: str) -> list[dict[str, Any]]:
    """For each seed the rows to the alarm (None if there is none in time) and whether a changed column is named."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 16])
        data = columns(source)
        picked = rng.permutation(rows_of(data))[:MOST_ROWS]
        border = int(len(picked) * REFERENCE_SHARE)
        profile = build_profile(taken(data, picked[:border]), exchangeable=True)
        live, changed = _changed(taken(data, picked[border : border + QUIET_ROWS + PATIENCE]), profile, kind, rng)
        replay = Replay(profile, settings(MONTH, 0.0025))
        outcome: dict[str, Any] = {"rows": None, "named": False}
        for closed in replay.run(live, tick_spans_by_rows(rows_of(live), ROWS_A_TICK)):
            if closed.alarms and closed.row > QUIET_ROWS:
                names = {
                    name for alarm in closed.alarms for feature in alarm.features for name in _columns(feature, profile)
                }
                outcome = {"rows": closed.row - QUIET_ROWS, "named": bool(names & changed)}
                break
        found.append(outcome)
    return found


def _columns(feature: Any, profile: Profile) -> set[str]:
    return {feature.name.removeprefix(RESIDUAL), *profile.partners.get(feature.name, ())}


def _changed(live: Columns, profile: Profile, kind: str, rng: np.random.Generator) -> tuple[Columns, set[str]]:
    """The rows with a change from row `QUIET_ROWS` on, and the columns that it is in."""
    wanted = CategoryBins if kind in NAMED else NumericBins
    fit = [f for f in profile.features if f.name in live and isinstance(f.bins, wanted) and _continuous(f)]
    one, other = (fit[i] for i in rng.permutation(len(fit))[:2])
    before, after = taken(live, slice(0, QUIET_ROWS)), taken(live, slice(QUIET_ROWS, None))
    if kind == SWAPPED:
        fresh = {one.name: after[other.name], other.name: after[one.name]}
    else:
        change = NUMERIC.get(kind) or NAMED[kind]
        fresh = {one.name: change(after[one.name], one, rng)}
    joined = {name: _joined(before[name], column) for name, column in fresh.items()}
    return {**live, **joined}, set(joined)


def _continuous(feature: Feature) -> bool:
    return not (isinstance(feature.bins, NumericBins) and feature.bins.discrete)


def _joined(one: Column, other: Column) -> Column:
    masks = [missing_mask(one), missing_mask(other)]
    return Column(np.concatenate([one.values, other.values]), np.concatenate(masks))


def _judge(outcomes: Sequence[dict[str, Any]]) -> Judged:
    rows = [outcome["rows"] for outcome in outcomes if outcome["rows"] is not None]
    named = sum(outcome["named"] for outcome in outcomes)
    when = f"half of them within {np.median(rows):,.0f} rows" if rows else "never"
    text = f"found in {len(rows)} of {len(outcomes)}, {when}; the right column named in {named}"
    return Judged(text, "", None, {"found": len(rows), "named": named, "runs": len(outcomes)})


def cases(quick: bool) -> list[Case]:
    return [
        Case(
            name=f"{source}: {kind}",
            target="-",
            measure=run,
            judge=_judge,
            runs=1 if quick else 4,
            chunk=4,
            options={"source": source, "kind": kind},
        )
        for source in SOURCES
        for kind in KINDS
        if not (kind in NAMED and source != "flights")
    ]
