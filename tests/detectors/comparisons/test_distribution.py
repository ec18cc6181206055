"""The coarse distribution for dashboards: at most 13 bins that keep every row and describe where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pilotfish.detectors.batch import Column
from pilotfish.detectors.comparisons.distribution import CoarseBins
from pilotfish.detectors.profile.feature import Feature
from pilotfish.detectors.reference.build import build_profile

RANDOM = np.random.default_rng(3)
SIZE = 4000
COLUMNS: dict[str, Any] = {
    "amount": RANDOM.gamma(4, 250, SIZE),
    "constant": np.ones(SIZE),
    "epoch": 1.7e9 + RANDOM.random(SIZE) * 10_000,
    "half_missing": np.where(RANDOM.random(SIZE) < 0.5, np.nan, RANDOM.normal(size=SIZE)),
    "hour": RANDOM.integers(5, 23, SIZE).astype(float),
    "often_zero": np.where(RANDOM.random(SIZE) < 0.5, 0.0, RANDOM.normal(size=SIZE)),
    "two": RANDOM.choice(["yes", "no"], SIZE),
    "towns": RANDOM.choice([f"town {number}" for number in range(40)], SIZE),
}
PROFILE = build_profile(COLUMNS, exchangeable=True)
FEATURES = [feature for feature in PROFILE.features if feature.family == "features"]


@pytest.mark.parametrize("feature", FEATURES, ids=[feature.name for feature in FEATURES])
def test_every_row_is_in_one_of_few_bins_with_distinct_labels(feature: Feature) -> None:
    coarse = CoarseBins.of(feature)
    assert len(set(coarse.labels)) == len(coarse.labels) <= 13
    assert set(coarse.group.tolist()) == set(range(len(coarse.labels)))
    found = coarse.distribution(feature.reference_counts, np.ones(feature.bins.size, dtype=int))
    assert sum(found.reference) == pytest.approx(1, abs=1e-5)
    assert sum(found.current) == pytest.approx(1, abs=1e-5)


@given(arrays.arrays(np.float64, st.integers(1, 20), elements=st.floats()))
@pytest.mark.parametrize("name", ["amount", "often_zero"])
def test_a_value_lies_within_the_borders_of_its_label(name: str, values: Any) -> None:
    feature = PROFILE.feature(name)
    coarse = CoarseBins.of(feature)
    for value, bin_id in zip(values, feature.bins.digitize(Column(values))[0], strict=True):
        label = coarse.labels[coarse.group[bin_id]]
        slack = 1e-3 * abs(value) + 1e-9  # labels have four digits
        if label == "missing":
            assert np.isnan(value)
        elif label.startswith("below "):
            assert value <= float(label.removeprefix("below ")) + slack
        elif label.startswith("above "):
            assert value >= float(label.removeprefix("above ")) - slack
        else:
            low, _, high = label.partition(" to ")
            assert float(low) - slack <= value <= float(high or low) + slack


def test_values_of_a_discrete_feature_bound_its_bins() -> None:
    labels = CoarseBins.of(PROFILE.feature("hour")).labels
    assert (labels[0], labels[-2], labels[-1]) == ("below 5", "above 22", "missing")
    ends = [int(end) for label in labels[1:-2] for end in label.split(" to ")]
    assert ends == sorted(ends)
    assert {5, 22} <= set(ends)


def test_infrequent_categories_share_a_bin() -> None:
    feature = PROFILE.feature("towns")
    found = CoarseBins.of(feature).distribution(feature.reference_counts, feature.reference_counts)
    assert found.bins[10:] == ("others", "unseen", "missing")
    assert found.reference[0] >= found.reference[9] > 0.02
    assert found.reference[10] == pytest.approx(1 - sum(found.reference[:10]), abs=1e-5)
    assert CoarseBins.of(PROFILE.feature("two")).labels[2:] == ("unseen", "missing")
