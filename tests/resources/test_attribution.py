"""Shares and idle add up to exactly what was measured, and the error of shares where the true cost is known."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.resources.attribution import Attribution, share
from tests.resources.plant import Load, simulate

SECOND = 10**9
weights = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**12), max_size=8)


@given(st.integers(0, 10**15), weights)
def test_shares_add_up_to_the_amount(amount: int, found: dict[str, int]) -> None:
    shares = share(amount, found)
    assert sum(shares.values()) == (amount if sum(found.values()) else 0)
    total = sum(found.values())
    assert all(abs(part - amount * found[name] / total) <= 1 + amount * 1e-12 for name, part in shares.items())


windows = st.lists(
    st.tuples(st.integers(-5, 10**12), st.integers(0, 10 * SECOND), st.one_of(st.none(), weights)), max_size=20
)


@given(windows)
def test_shares_and_idle_are_what_was_measured_in_any_history(
    history: list[tuple[int, int, dict[str, int] | None]],
) -> None:
    attribution = Attribution()
    for measured, elapsed, in_flight in history:
        split = attribution.split(measured, elapsed, in_flight)
        assert split.measured == max(0, measured)
        assert split.idle >= 0
        assert all(part >= 0 for part in split.shares.values())
        if not in_flight or not sum(in_flight.values()):
            assert split.idle == max(0, measured)


def test_an_idle_server_shows_its_rate_and_requests_do_not_pay_for_it() -> None:
    attribution = Attribution()
    attribution.split(SECOND // 10, SECOND, {})
    split = attribution.split(SECOND // 2, SECOND, {"a": SECOND // 5, "b": SECOND // 5})
    assert split.idle == pytest.approx(0.06 * SECOND)
    assert split.shares["a"] == split.shares["b"]


def test_use_without_a_counter_page_is_idle_and_shows_no_rate() -> None:
    attribution = Attribution()
    assert attribution.split(5, SECOND, None).idle == 5
    assert attribution.idle_rate is None


# the figures of docs/cost.md
LOADS = {
    "alone": (Load("a", 0.5, 0.020), Load("b", 0.5, 0.080)),
    "overlap": (Load("a", 20.0, 0.020), Load("b", 5.0, 0.080)),
    "unequal parallelism": (Load("a", 10.0, 0.020), Load("b", 5.0, 0.080, threads=4)),
    "waits": (Load("a", 5.0, 0.020, waits=0.080), Load("b", 5.0, 0.020)),
}
# largest relative error of a route, and of all routes together
BOUNDS = {
    "alone": (0.06, 0.06),
    "overlap": (0.06, 0.06),
    "unequal parallelism": (1.0, 0.06),
    "waits": (0.9, 0.17),
}


@pytest.mark.long
@pytest.mark.parametrize("name", LOADS)
def test_the_error_of_each_route_in_simulation_is_the_documented_one(name: str) -> None:
    found = simulate(LOADS[name], cores=4, seconds=300, idle=0.03, noise=0.02, source=random.Random(1))
    assert sum(found.attributed.values()) + found.idle == found.measured
    errors = {route: found.attributed[route] / found.true[route] - 1 for route in found.true}
    assert max(map(abs, errors.values())) <= BOUNDS[name][0], errors
    total = sum(found.attributed.values()) / sum(found.true.values()) - 1
    assert abs(total) <= BOUNDS[name][1], (total, errors)
