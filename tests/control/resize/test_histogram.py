from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.resize.histogram import (
    BUCKETS,
    CPU,
    HALF_LIFE,
    MEMORY,
    Buckets,
    Histogram,
    HistogramState,
    power,
)
from tests.control.resize.histories import BEGUN, DAY

Sample = tuple[float, float, float]
values = st.floats(0, 2000)
times = st.floats(0, 30 * DAY).map(lambda seconds: BEGUN + seconds)
samples = st.lists(st.tuples(values, st.sampled_from((0.1, 1.0)), times), min_size=1, max_size=12)
SHARES = (0.1, 0.5, 0.9, 0.95, 1.0)


def histogram(added: Sequence[Sample]) -> HistogramState:
    """Return a histogram of samples: value, weight, time."""
    found = Histogram(CPU, HistogramState())
    for value, weight, at in added:
        found.add(value, weight, at)
    return found.state()


def shares(state: HistogramState) -> list[float]:
    """Return the weights as shares of the whole."""
    return [weight / state.total for weight in state.weights]


@pytest.mark.parametrize("buckets", [CPU, MEMORY])
def test_a_bucket_holds_the_values_from_its_start_to_the_next_one(buckets: Buckets) -> None:
    for index, start in enumerate(buckets.starts[:-1]):
        middle = (start + buckets.starts[index + 1]) / 2
        assert buckets.index(middle) == index
    assert buckets.starts[0] == 0
    assert buckets.starts[1] == pytest.approx(buckets.first)
    assert buckets.starts[-1] >= 1e5 * buckets.first  # 1000 cores, 1 TB
    assert buckets.index(1e300) == BUCKETS - 1


@given(st.floats(1, 3), st.integers(-50, 175))
def test_powers_are_right(base: float, exponent: int) -> None:
    assert power(base, exponent) == pytest.approx(base**exponent, rel=1e-13)


@given(samples, st.randoms(use_true_random=False))
def test_the_order_of_samples_makes_no_difference(added: list[Sample], random: object) -> None:
    shuffled = sorted(added, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert shares(histogram(shuffled)) == pytest.approx(shares(histogram(added)), abs=1e-9)


@given(samples)
def test_a_sample_weighs_half_after_a_half_life(added: list[Sample]) -> None:
    older = [(value, 2 * weight, at - HALF_LIFE) for value, weight, at in added]
    assert shares(histogram(older)) == pytest.approx(shares(histogram(added)), abs=1e-9)
    assert sum(shares(histogram(older))) == pytest.approx(1)


@given(samples, values)
def test_a_sample_that_is_removed_was_never_there(added: list[Sample], value: float) -> None:
    at = max(at for _, _, at in added)
    found = Histogram(CPU, histogram(added))
    found.add(value, 1.0, at)
    found.subtract(value, 1.0, at)
    state = found.state()
    assert state.weights == pytest.approx(histogram(added).weights, abs=1e-3)
    for share in SHARES[:-1]:
        assert state.percentile(CPU, share - 1e-3) <= histogram(added).percentile(CPU, share)


@given(samples)
def test_a_percentile_lies_above_its_share_of_the_weight(added: list[Sample]) -> None:
    latest = max(at for _, _, at in added)
    recent = [(value, weight, at) for value, weight, at in added if latest - at < 5 * DAY]
    state = histogram(recent)
    weights = [(value, weight * 2 ** ((at - latest) / HALF_LIFE)) for value, weight, at in recent]
    for share in SHARES:
        end = state.percentile(CPU, share)
        below = sum(weight for value, weight in weights if value <= end or end == CPU.starts[-1])
        assert below >= share * sum(weight for _, weight in weights) * (1 - 1e-9)
    found = [state.percentile(CPU, share) for share in SHARES]
    assert found == sorted(found)


@given(samples, st.floats(-400 * DAY, 400 * DAY))
def test_only_ages_matter_not_times(added: list[Sample], seconds: float) -> None:
    moved = histogram(added).moved(seconds)
    later = histogram([(value, weight, at + seconds) for value, weight, at in added])
    for share in SHARES:
        assert moved.percentile(CPU, share - 1e-9) <= later.percentile(CPU, share) + 1e-9
        assert later.percentile(CPU, share - 1e-9) <= moved.percentile(CPU, share) + 1e-9


def test_samples_of_many_years_keep_the_weights_finite() -> None:
    state = histogram([(1.0, 0.1, BEGUN + day * 50 * DAY) for day in range(300)])
    assert state.valid
    assert all(math.isfinite(weight) for weight in state.weights)
    assert state.percentile(CPU, 0.9) == pytest.approx(1.0, rel=0.06)


@given(samples, samples, st.sampled_from((600.0, 7200.0, 7 * DAY)))
def test_another_half_life_keeps_the_weights_at_the_time_of_the_change(
    before: list[Sample], after: list[Sample], half_life: float
) -> None:
    now = BEGUN + 30 * DAY
    latest = max(at for _, _, at in before)
    changed = Histogram(
        CPU, histogram([(value, weight, at + now - latest) for value, weight, at in before]), half_life, now
    )
    assert shares(changed.state()) == pytest.approx(shares(histogram(before)), abs=1e-3)
    for value, weight, at in after:
        changed.add(value, weight, at + 30 * DAY)
    assert changed.state().valid
    again = Histogram(CPU, changed.state(), half_life, now + 40 * DAY)
    assert again.state() == changed.state()


Flagged = tuple[float, bool]
flagged = st.lists(st.tuples(st.floats(0, 40), st.booleans()), min_size=1, max_size=25)


def censored_histogram(added: Sequence[Flagged], weights: Sequence[float]) -> HistogramState:
    """Return a histogram of samples of one time: value, and whether it is censored."""
    found = Histogram(CPU, HistogramState())
    for (value, censored), weight in zip(added, weights, strict=True):
        found.add(value, weight, BEGUN, censored=censored)
    return found.state()


def product_limit(added: Sequence[Flagged], weights: Sequence[float], bucket: int) -> float:
    """Return the estimate of Kaplan and Meier of the share that lies in `bucket` or below, by its definition."""
    places = [CPU.index(value) for value, _ in added]
    above = 1.0
    for place in sorted({place for place in places if place <= bucket}):
        rows = list(zip(places, added, weights, strict=True))
        risk = sum(weight for at, _, weight in rows if at >= place)
        exact = sum(weight for at, (_, censored), weight in rows if at == place and not censored)
        above *= 1 - exact / risk
    return 1 - above


@given(flagged, st.data())
def test_the_histogram_without_the_limit_is_the_product_limit_estimate(
    added: list[Flagged], data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.sampled_from((0.1, 0.7, 2.0)), min_size=len(added), max_size=len(added)))
    before = censored_histogram(added, weights)
    found, unbounded = before.uncensored()
    assert sum(found.weights) == pytest.approx(before.total)
    assert found.total == before.total
    for bucket in range(found.high):
        share = sum(found.weights[: bucket + 1]) / found.total
        assert share == pytest.approx(product_limit(added, weights, bucket), abs=1e-9)
    assert unbounded == pytest.approx(1 - product_limit(added, weights, BUCKETS), abs=1e-9)


@given(samples)
def test_without_censored_samples_nothing_moves(added: list[Sample]) -> None:
    state = histogram(added)
    assert state.uncensored() == (state, 0.0)
    zero = msgspec.structs.replace(state, censored=(0.0,) * BUCKETS)
    found, unbounded = zero.uncensored()
    assert unbounded == 0.0
    for share in SHARES:
        assert found.percentile(CPU, share) == state.percentile(CPU, share)


@given(flagged, st.integers(0, 24), st.sampled_from(SHARES))
def test_a_censored_sample_never_makes_a_percentile_smaller(added: list[Flagged], place: int, share: float) -> None:
    place %= len(added)
    weights = [1.0] * len(added)
    more = [(value, censored or index == place) for index, (value, censored) in enumerate(added)]
    less = censored_histogram(added, weights).uncensored()[0]
    found = censored_histogram(more, weights).uncensored()[0]
    assert found.percentile(CPU, share) >= less.percentile(CPU, share - 1e-9)


def test_censored_samples_age_and_are_stored_as_the_others() -> None:
    found = Histogram(CPU, HistogramState())
    for day in range(300):
        found.add(1.0, 0.1, BEGUN + day * DAY, censored=day < 299)
    state = found.state()
    assert state.valid
    assert state.censored[CPU.index(1.0)] / state.weights[CPU.index(1.0)] == pytest.approx(0.5)
    moved = Histogram(CPU, state, 600.0, BEGUN + 300 * DAY).state()
    assert moved.censored[CPU.index(1.0)] / moved.weights[CPU.index(1.0)] == pytest.approx(0.5)
