"""Fill values are no part of the range of related columns, whichever they are and however many."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Floats
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import Alarm
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.transforms.linear import Standardizer, without_fill_values

FILLS = (-99.0, -999.0, 1e9, 9.96921e36, -9223372036854775808.0, -3.4028235e38, 1e300)
ROWS = 1500


@given(
    st.integers(0, 1000),
    st.lists(st.sampled_from(FILLS), min_size=1, max_size=3, unique=True),
    st.sampled_from([0.005, 0.02, 0.05, 0.3]),
)
def test_fill_values_are_found_and_nothing_else(seed: int, fills: list[float], share: float) -> None:
    values = np.random.default_rng(seed).normal(size=900)
    every = int(1 / share)
    for place, fill in enumerate(fills):
        values[place :: every * len(fills)] = fill
    usual = ~np.isin(values, fills)
    assert without_fill_values(values).tolist() == values[usual].tolist()


@pytest.mark.parametrize("draw", ["lognormal", "cauchy", "pareto", "poisson", "zeros", "capped"])
def test_heavy_tails_zeros_and_caps_are_no_fill_values(draw: str) -> None:
    rng = np.random.default_rng(1)
    values = {
        "lognormal": rng.lognormal(0, 4, 20_000),
        "cauchy": rng.standard_cauchy(20_000),
        "pareto": rng.pareto(0.5, 20_000),
        "poisson": rng.poisson(0.05, 20_000).astype(float),
        "zeros": np.where(rng.random(20_000) < 0.9, 0, rng.lognormal(3, 2, 20_000)),
        "capped": np.minimum(rng.lognormal(0, 3, 20_000), 200),
    }[draw]
    assert len(without_fill_values(values)) == len(values)


def test_scales_are_those_of_the_other_values() -> None:
    values = np.random.default_rng(2).normal(size=1000)
    filled = np.concatenate([values, np.full(50, -9.223372036854776e18)])
    scales, usable = Standardizer.of(np.array([filled]))
    z, known = scales.transform(np.array([filled]))
    assert (usable.tolist(), scales.heavy.tolist(), known[0].sum()) == ([True], [False], 1000)
    assert z[0, :1000].std() > 0.9


def rows(count: int, rng: np.random.Generator, *, related: bool = True) -> dict[str, Floats]:
    a = rng.normal(size=count)
    follows = 2 * (a if related else rng.normal(size=count)) + rng.normal(0, 0.2, count)
    return {"a": a, "b": follows, "c": a - rng.normal(0, 0.3, count), "d": rng.normal(size=count)}


@cache
def filled(fill: float, share: float, columns: tuple[str, ...]) -> Profile:
    data = rows(ROWS, np.random.default_rng(3))
    for place, name in enumerate(columns):
        data[name][place :: int(1 / share)] = fill
    return build_profile(data, rows_per_tick=10)


@pytest.mark.long
@pytest.mark.parametrize(
    ("fill", "share", "columns"),
    [
        (-9223372036854775808.0, 0.05, ("a", "b", "c")),
        pytest.param(1e9, 0.02, ("b",), marks=pytest.mark.long),
        pytest.param(9.96921e36, 0.005, ("b", "d"), marks=pytest.mark.long),
    ],
)
def test_a_broken_relation_is_found_beside_fill_values(fill: float, share: float, columns: tuple[str, ...]) -> None:
    profile = filled(fill, share, columns)
    assert {"residual:a", "residual:b", "residual:c", "mahalanobis", "pca_error"} <= set(profile.index)
    assert not any("relations are watched without" in warning for warning in profile.warnings)
    monitor, rng = DriftMonitor(profile, DriftSettings()), np.random.default_rng(4)
    alarms: list[Alarm] = []
    for tick in range(20):
        counts, live = TickCounts(profile), rows(50, rng, related=False)
        for place, name in enumerate(columns):
            live[name][place :: int(1 / share)] = fill
        counts.add(Batch(live, 50))
        alarms += monitor.close_tick(tick, counts.take()).alarms
    assert "multivariate" in {alarm.family for alarm in alarms}


@pytest.mark.long
def test_a_column_outside_the_relations_has_its_own_reason() -> None:
    rng = np.random.default_rng(5)
    data = rows(ROWS, rng)
    data["gone"] = rng.normal(size=ROWS)
    data["gone"][rng.random(ROWS) < 0.8] = np.nan
    data["still"] = (10**15 + rng.integers(0, 3, ROWS)).astype(np.float64)
    warnings = build_profile(data, rows_per_tick=10).warnings
    (found,) = [warning for warning in warnings if "relations" in warning]
    assert found == "relations are watched without gone (mostly missing); still (hardly varying)"
