"""Laws of the scores: textbook values, intervals that contain the truth, and positions outside the range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.comparisons import COMPARISONS
from pilotfish.detectors.comparisons.effects import EffectSizeEstimator
from pilotfish.detectors.comparisons.psi import psi_rowwise
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from tests.benchmarks.detection import intervals
from tests.detectors.material import mixed_profile
from tests.support.examples import examples
from tests.support.sizes import size

COUNTS = st.lists(st.integers(1, 10**6), min_size=4, max_size=4)


@hypothesis_settings(max_examples=examples(60), deadline=None)
@given(COUNTS, COUNTS)
def test_values_are_those_of_the_textbook(reference: list[int], current: list[int]) -> None:
    old, new = np.array(reference), np.array(current)
    p, q, middle = old / old.sum(), new / new.sum(), (old / old.sum() + new / new.sum()) / 2
    positions = np.array([-1.0, 0.0, 0.5, 3.0])
    found = {name: compare(old, new, positions).value for name, compare in COMPARISONS.items()}
    divergence = (p @ np.log2(p / middle) + q @ np.log2(q / middle)) / 2
    assert found == pytest.approx(
        {
            "chi_square": ((q - p) ** 2 / p).sum(),
            "jensen_shannon_distance": np.sqrt(max(divergence, 0.0)),
            "ks": np.abs(np.cumsum(q - p)).max(),
            "psi": ((q - p) * np.log(q / p)).sum(),
            "wasserstein": np.abs(np.cumsum(q - p)[:-1]) @ np.diff(positions),
        },
        rel=1e-6,
        abs=1e-7,
    )


def test_psi_by_rows_is_psi() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.integers(0, 50, (20, 7)), rng.integers(0, 9, (20, 7))
    found = np.stack(psi_rowwise(old, new, 3.0), axis=1)
    for row, (one, other) in enumerate(zip(old, new, strict=True)):
        score = COMPARISONS["psi"](one, other, np.zeros(7), 3.0)
        assert found[row].tolist() == pytest.approx([score.value, score.low, score.high])


@pytest.mark.parametrize("name", COMPARISONS)
def test_an_interval_narrows_with_rows_and_widens_with_dependence(name: str) -> None:
    old, new, positions = np.array([50, 30, 20]), np.array([30, 30, 40]), np.arange(3.0)
    compare, widths = COMPARISONS[name], []
    for factor, design_effect in ((1, 10.0), (1, 1.0), (100, 1.0)):
        score = compare(factor * old, factor * new, positions, design_effect)
        widths.append(score.high - score.low)
    assert widths[0] > widths[1] > widths[2] > 0


def counted(profile: Profile, values: list[float]) -> Counts:
    counting = TickCounts(profile)
    counting.add(Batch({"amount": values}, len(values)))
    return counting.take()


@hypothesis_settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.floats(), min_size=2, max_size=30), st.integers(1, 29))
def test_excess_adds_up_exactly_and_effect_sizes_stay_finite(values: list[float], cut: int) -> None:
    profile = mixed_profile()
    whole = counted(profile, values)
    parts = [counted(profile, part) for part in (values[:cut], values[cut:]) if part]
    assert sum(part.excess for part in parts).tolist() == whole.excess.tolist()  # type: ignore[union-attr]
    at = profile.index["amount"]
    sizes = EffectSizeEstimator.of(profile.features[at]).measure(whole.of(profile, "amount"), whole.excess[at], 0, 0, 0)
    assert sizes is not None
    for score in (sizes.psi, sizes.ks, sizes.wasserstein):
        assert score is None or (np.isfinite(score.high) and 0 <= score.low <= score.value <= score.high)


def test_rows_outside_the_range_are_at_their_mean_and_at_least_beyond_the_border() -> None:
    profile = build_profile({"amount": np.random.default_rng(5).uniform(0, 12**0.5, 5000)}, exchangeable=True)
    estimator = EffectSizeEstimator.of(profile.features[0])
    counts = counted(profile, [100.0, 300.0, 1.0, 2.0])
    assert estimator.scale is not None
    at = estimator.scale.current(counts.bin_counts, counts.excess[0])
    mean = (200.0 - float(profile.features[0].bins.centre)) / estimator.scale.sd  # type: ignore[union-attr]
    assert at[-3] == pytest.approx(mean, rel=1e-3)
    unknown = estimator.scale.current(counts.bin_counts, np.zeros(2, np.int64))  # a checkpoint of an earlier release
    assert estimator.scale.ends[1] < unknown[-3] < at[-3]


def test_bins_without_means_lie_at_their_middle() -> None:
    bins = NumericBins.from_values(np.random.default_rng(6).normal(size=2000))
    assert bins.document()["means"] is None
    positions = NumericBins.from_document(bins.document(), "bins").positions
    inner = positions[1:-2]
    assert np.all(np.diff(inner) >= 0)
    assert np.array_equal(bins.digitize(Column(inner[2:-2]))[0], np.arange(3, bins.size - 4))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [*intervals.PROCESSES, "categories"])
def test_intervals_contain_the_distance_of_the_distributions(name: str) -> None:
    found = intervals.covered(range(size(30, 60)), name=name)
    for measure in set(found[0]) - {"chi_square"}:
        coverage = intervals.judge_measure(found, measure=measure).figures["coverage"]
        assert min(coverage) >= 0.8  # of 30 or 60 runs; the benchmark has enough runs for 0.9
        assert np.mean(coverage) >= 0.92
