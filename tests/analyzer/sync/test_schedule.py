"""A thousand pods spread their requests, and wait longer after failures."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.sync.schedule import INTERVAL_SECONDS, first_delay, interval_of, next_delay


@given(st.integers(), st.floats(1, 30), st.integers(0, 10**6), st.floats(0, 300))
def test_delays_are_bounded_and_respect_retry_after(
    seed: int, interval: float, failures: int, retry_after: float
) -> None:
    found = next_delay(Random(seed), interval, failures, retry_after)
    assert 0 < found <= interval + retry_after
    if failures:
        assert found >= retry_after


@pytest.mark.parametrize(("tick", "interval"), [(0.2, 1.0), (10.0, 10.0), (60.0, 30.0), (86_400.0, 30.0)])
def test_a_request_goes_out_about_once_per_tick_and_at_least_every_30_seconds(tick: float, interval: float) -> None:
    assert interval_of(tick) == interval


@pytest.mark.parametrize("failures", [0, 5, 50])
def test_a_thousand_pods_that_start_together_are_spread_after_a_few_requests(failures: int) -> None:
    random = Random(1)
    times = [
        first_delay(random) + sum(next_delay(random, INTERVAL_SECONDS, failures) for _ in range(20))
        for _ in range(1000)
    ]
    busiest = max(sum(second <= time < second + 1 for time in times) for second in range(int(max(times)) + 1))
    assert busiest < 100  # of 1000 pods; evenly spread over an interval, there are 33 in each second


def test_the_backoff_grows_up_to_the_interval() -> None:
    means = [sum(next_delay(Random(seed), 30.0, failures) for seed in range(200)) / 200 for failures in range(1, 8)]
    assert means == sorted(means)
    assert means[0] < 2.0
    assert means[-1] > 20.0
