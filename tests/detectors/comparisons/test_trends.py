"""The trend of a feature has the effect sizes of each window."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.comparisons import COMPARISONS
from pilotfish.detectors.comparisons.effects import EffectSizeEstimator
from pilotfish.detectors.comparisons.trends import trends
from pilotfish.detectors.summaries.windows import Windows, sum_windows, window_levels
from tests.detectors.material import mixed_profile, tick

PROFILE = mixed_profile()


@pytest.mark.long
def test_a_trend_agrees_with_the_effect_sizes_of_each_window() -> None:
    rng, windows = np.random.default_rng(4), Windows(PROFILE, window_levels(60.0))
    for number in range(70):
        windows.add(number, tick(PROFILE, rng, amount=rng.lognormal(number / 50, size=50)))
    found = {trend.feature.name: trend for trend in trends(PROFILE, list(windows))}
    assert set(found) == set(PROFILE.index)
    for place, window in enumerate(windows):
        for name, trend in found.items():
            counts = sum_windows(PROFILE, [window]).counts.of(PROFILE, name)
            excess = window.excess[PROFILE.index[name]].astype(np.int64)
            effects = EffectSizeEstimator.of(trend.feature).measure(counts, excess, 0, window.first, window.last)
            assert effects is not None
            assert [trend.psi[place], trend.psi_low[place], trend.psi_high[place]] == pytest.approx(
                [effects.psi.value, effects.psi.low, effects.psi.high]
            )
            assert trend.missing_ratio[place] == pytest.approx(effects.missing_ratio)
            assert trend.unseen_ratio[place] == pytest.approx(effects.unseen_ratio)
            assert trend.out_of_range_ratio[place] == pytest.approx(effects.out_of_range_ratio)
            assert trend.rows[place] == effects.rows
    amount, city = found["amount"].mean, found["city"].mean
    assert city is None
    assert amount is not None
    assert abs(amount[0]) < 0.4 < amount[-1]


def test_without_windows_and_without_rows_there_is_nothing_and_no_warning() -> None:
    assert all(len(trend.psi) == 0 for trend in trends(PROFILE, []))
    windows = Windows(PROFILE, window_levels(60.0))
    windows.add(0, tick(PROFILE, np.random.default_rng(5), rows=0))
    assert all(
        np.isnan(trend.psi).all() and np.isnan(trend.missing_ratio).all() for trend in trends(PROFILE, list(windows))
    )


def test_each_comparison_is_still_a_plain_number() -> None:
    feature = PROFILE.features[0]
    for compare in COMPARISONS.values():
        score = compare(feature.reference_counts, feature.calibration, np.arange(feature.bins.size, dtype=float))
        assert {type(score.value), type(score.low), type(score.high)} == {float}
