"""The clearest change of a feature: the measure that a person would name, in the unit of the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.comparisons.changes import Change
from pilotfish.detectors.comparisons.effects import EffectSizeEstimator
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts

ROWS = 1000
_RANDOM = np.random.default_rng(5)
NORMAL = _RANDOM.normal(50.0, 10.0, 8000)
CITIES = np.array(["Rome", "Bern", "Oslo", "Kiel"], dtype=object)
NUMBERS = build_profile({"x": NORMAL}, exchangeable=True)
CATEGORIES = build_profile({"x": _RANDOM.choice(CITIES, 8000, p=[0.5, 0.3, 0.12, 0.08])}, exchangeable=True)
NOW = _RANDOM.normal(50.0, 10.0, ROWS)
RARELY = _RANDOM.random(ROWS) < 0.06


def found(profile: Profile, values: Any) -> Change:
    counting = TickCounts(profile)
    counting.add(Batch({"x": values}, len(values)))
    counts = counting.take()
    measured = EffectSizeEstimator.of(profile.feature("x")).measure(counts.of(profile, "x"), counts.excess[0], 0, 0, 9)
    assert measured is not None
    assert measured.change is not None
    return measured.change


@pytest.mark.parametrize(
    ("values", "measure", "after"),
    [
        (NOW + 8, "mean", 58.0),
        (NOW * 1000, "mean", 50_000.0),
        ((NOW - 32) / 1.8, "mean", 10.0),
        (50 + 1.8 * (NOW - 50), "spread", 17.5),
        (50 + 0.6 * (NOW - 50), "spread", 6.0),
        (np.where(RARELY, np.nan, NOW), "missing", RARELY.mean()),
        (np.where(RARELY, -999.0, NOW), "below", RARELY.mean()),
        (np.where(RARELY, 95.0, NOW), "above", RARELY.mean()),
        (np.where(RARELY, np.inf, NOW), "infinite", RARELY.mean()),
        (np.where(_RANDOM.random(ROWS) < 0.2, 51.0, NOW), "range", 0.28),
    ],
)
def test_a_change_of_numbers_is_named_by_its_clearest_measure(values: Any, measure: str, after: float) -> None:
    change = found(NUMBERS, values)
    assert change.measure == measure
    assert change.after == pytest.approx(after, rel=0.1)


def test_a_change_of_categories_names_the_value_whose_share_changed_most() -> None:
    change = found(CATEGORIES, _RANDOM.choice(CITIES, ROWS, p=[0.4, 0.21, 0.31, 0.08]))
    assert (change.measure, change.of) == ("share", "Oslo")
    assert change.before == pytest.approx(0.12, abs=0.02)
    assert found(CATEGORIES, np.where(RARELY, "Lima", CITIES[0]).astype(object)).measure in {"unseen", "share"}


def test_a_mean_is_in_the_unit_of_the_values() -> None:
    change = found(NUMBERS, NOW + 8)
    assert change.before == pytest.approx(NORMAL.mean(), rel=1e-6)
    assert change.sd == pytest.approx((change.after - change.before) / NORMAL.std(), rel=1e-3)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_any_rows_give_finite_numbers(values: Any) -> None:
    counting = TickCounts(NUMBERS)
    counting.add(Batch({"x": values}, len(values)))
    counts = counting.take()
    estimator = EffectSizeEstimator.of(NUMBERS.feature("x"))
    measured = estimator.measure(counts.of(NUMBERS, "x"), counts.excess[0], 0, 0, 9)
    assert measured is not None
    if measured.change is not None:
        assert np.isfinite([measured.change.before, measured.change.after, measured.change.sd or 0.0]).all()
