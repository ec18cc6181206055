"""What a completion token costs is found from durations where they tell it, and is not made up where they do not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.resources.weights import LARGEST, LEAST_EXCHANGES, SMALLEST, TokenWeight, moments

SECOND = 10**9


def observed(
    exchanges: int, *, read: float, write: float, waiting: float = 0.0, concurrency: float = 1.0, noise: float = 0.1
) -> TokenWeight:
    """Return the weight after exchanges with these seconds for a prompt token, a completion token, and waiting."""
    source, weight = random.Random(1), TokenWeight()
    for _ in range(exchanges):
        prompt, completion = source.randint(1, 3000), source.randint(1, 400)
        seconds = source.expovariate(1 / waiting) if waiting else 0.0
        seconds += read * prompt + write * completion + source.gauss(0, noise)
        weight.add_exchanges(moments(prompt, completion, max(0.0, seconds)))
    weight.add_window(round(concurrency * 100 * SECOND), 100 * SECOND)
    return weight


@pytest.mark.parametrize("concurrency", [1.0, 8.0, 40.0])
def test_the_weight_is_the_ratio_of_durations_divided_by_the_concurrency(concurrency: float) -> None:
    found = observed(500, read=5e-5, write=8e-3, concurrency=concurrency, noise=0.01).completion_weight
    assert found == pytest.approx(160 / concurrency, rel=0.1)


def test_requests_that_wait_do_not_share_a_step() -> None:
    found = observed(5000, read=5e-4, write=8e-3, waiting=2.35, concurrency=16.0).completion_weight
    assert found == pytest.approx(16 / 8, rel=0.3), "half of the time in flight is waiting"


def test_few_exchanges_or_durations_that_do_not_depend_on_tokens_give_no_weight() -> None:
    assert observed(LEAST_EXCHANGES - 1, read=5e-5, write=8e-3).completion_weight is None
    assert observed(500, read=0.0, write=8e-3).completion_weight is None
    assert observed(500, read=5e-5, write=8e-3, noise=50.0).completion_weight is None
    same = TokenWeight()
    for _ in range(100):
        same.add_exchanges(moments(100, 10, 1.0))
    same.add_window(SECOND, SECOND)
    assert same.completion_weight is None
    assert TokenWeight().completion_weight is None


def test_a_faded_weight_stays_the_same_until_too_little_is_left() -> None:
    weight = observed(500, read=5e-5, write=8e-3)
    before = weight.completion_weight
    weight.fade(0.5)
    assert weight.completion_weight == pytest.approx(before)
    weight.fade(0.05)
    assert weight.completion_weight is None


exchanges = st.lists(st.tuples(st.integers(-5, 10**9), st.integers(0, 10**9), st.floats(0, 1e6)), max_size=60)
windows = st.lists(st.tuples(st.integers(0, 10**15), st.integers(1, 10**11)), max_size=5)


@given(exchanges, windows)
def test_a_weight_is_in_range_or_not_known(found: list[tuple[int, int, float]], times: list[tuple[int, int]]) -> None:
    weight = TokenWeight()
    for prompt, completion, seconds in found:
        weight.add_exchanges(moments(prompt, completion, seconds))
    for in_flight, elapsed in times:
        weight.add_window(in_flight, elapsed)
    known = weight.completion_weight
    assert known is None or SMALLEST <= known <= LARGEST
