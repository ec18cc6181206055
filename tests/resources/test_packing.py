"""What two loads on one card do to each other: bounds, monotony, and a simulation of two queues on one card."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.resources.packing import ModelLoad, gpu_share, packed_p95, quantile, queueing, slowdowns
from tests.support.examples import examples
from tests.support.sizes import size

shares = st.floats(0, 1)
LOAD = ModelLoad(in_flight=0.5, p95_seconds=0.1)


@settings(max_examples=examples(200))
@given(shares, shares)
def test_kernels_take_as_long_as_alone_at_least_and_twice_as_long_at_most(one: float, other: float) -> None:
    assume(one + other <= 1)
    first, second = slowdowns(one, other)
    assert 1 <= first <= 2
    assert slowdowns(other, one) == (second, first)
    assert one * first <= 1 + 1e-9, "the card is not used for more than all of the time"


@settings(max_examples=examples(200))
@given(st.floats(0.01, 0.4), st.floats(0, 0.39), st.floats(0, 0.01))
def test_more_load_of_the_other_never_helps(own: float, other: float, more: float) -> None:
    before, after = slowdowns(own, other)[0], slowdowns(own, other + more)[0]
    assert after >= before
    assert packed_p95(LOAD, own, after) >= packed_p95(LOAD, own, before)
    low, high = packed_p95(LOAD, own, after)
    assert LOAD.p95_seconds - 1e-12 <= low <= high + 1e-12


def test_without_another_load_nothing_changes() -> None:
    assert slowdowns(0.4, 0.0) == (1.0, 1.4)
    assert packed_p95(LOAD, 0.4, 1.0) == (0.1, 0.1)


def test_more_than_a_whole_card_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        slowdowns(0.6, 0.6)


def test_the_least_gpu_time_of_a_request() -> None:
    assert gpu_share(0.2, 0.5) == 0.4, "requests are in flight half of the time, with a kernel in 0.2 of it"
    assert gpu_share(0.2, 8.0) == 0.2, "something is in flight all the time"
    assert gpu_share(0.3, 0.1) == 1.0
    assert gpu_share(0.3, 0.0) == 0.0


def test_a_quantile_is_the_bound_of_its_bucket() -> None:
    assert quantile(0.95, [0.1, 1.0], [90, 8, 2]) == 1.0
    assert quantile(0.99, [0.1, 1.0], [90, 8, 2]) == 1.0
    assert quantile(0.5, [0.1, 1.0], [0, 0, 0]) is None


def simulated(loads: tuple[float, float], means: tuple[float, float], requests: int) -> tuple[list[float], list[float]]:
    """Return the slowdown of the kernels, and the mean duration over that of the load alone, of two queues on one card.

    Arrivals are Poisson, service times exponential. While both have work, each is served at half the speed.
    """
    random = Random(7)
    arrival = [random.expovariate(load / mean) for load, mean in zip(loads, means, strict=True)]
    queues: tuple[list[float], list[float]] = ([], [])
    left, served, work, stayed, done, now = [0.0] * 2, [0.0] * 2, [0.0] * 2, [0.0] * 2, [0] * 2, 0.0
    while sum(done) < requests:
        active = [place for place in (0, 1) if queues[place]]
        speed = 1.0 / max(1, len(active))
        passed = min(*(when - now for when in arrival), *(left[place] / speed for place in active), 1e9)
        now += passed
        for place in active:
            served[place] += passed
            work[place] += passed * speed
            left[place] -= passed * speed
            if left[place] <= 1e-12:
                stayed[place] += now - queues[place].pop(0)
                done[place] += 1
                left[place] = random.expovariate(1 / means[place])
        for place in (0, 1):
            if arrival[place] <= now + 1e-12:
                queues[place].append(now)
                arrival[place] = now + random.expovariate(loads[place] / means[place])
                if len(queues[place]) == 1:
                    left[place] = random.expovariate(1 / means[place])
    alone = [mean / (1 - load) for load, mean in zip(loads, means, strict=True)]
    return [served[at] / work[at] for at in (0, 1)], [stayed[at] / done[at] / alone[at] for at in (0, 1)]


@pytest.mark.parametrize(
    ("loads", "means", "kernels", "durations"),
    [
        ((0.1, 0.1), (1.0, 1.0), 0.05, 0.08),
        ((0.3, 0.3), (1.0, 1.0), 0.08, 0.12),
        ((0.2, 0.5), (1.0, 1.0), 0.1, 0.15),
        ((0.1, 0.6), (10.0, 1.0), 0.1, 0.3),
    ],
)
@pytest.mark.long
def test_a_simulation_of_two_queues_agrees(
    loads: tuple[float, float], means: tuple[float, float], kernels: float, durations: float
) -> None:
    slowed, stayed = simulated(loads, means, size(30_000, 200_000))
    for place, slowdown in enumerate(slowdowns(*loads)):
        assert slowdown == pytest.approx(slowed[place], rel=kernels)
        assert queueing(loads[place], slowdown) == pytest.approx(stayed[place], rel=durations)
