"""Members whose clients wait for answers: saturated ones come before the room of others, and come to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.pool.book import SharedPool
from pilotfish.sidecar.control.resize.pool.demand import Demand
from pilotfish.sidecar.control.resize.pool.member import PoolLoad, PoolMember, PoolPod

SECONDS = 0.05  # of CPU for a request
LEAST, MOST = 0.02, 1.0  # cores of a pod
BUDGET = 0.7

Loop = Callable[[int], float]  # the clients by minute


def closed(clients: float, cores: float, now: float) -> PoolLoad:
    used = min(clients, cores)
    return PoolLoad(cpu=used, rate=used / SECONDS, in_flight=clients, limit=cores, at=now)


def played(
    loops: Mapping[str, Loop], minutes: int, *, late: bool = False, pool: SharedPool | None = None
) -> dict[str, list[float]]:
    """Return the cores of each member, minute by minute; with `late`, a use is of the minute before."""
    pool = pool or SharedPool("ml/shared", BUDGET)
    pool.expect(loops)
    cores = {name: [int(1000 * BUDGET / len(loops)) / 1000] * 2 for name in loops}
    for minute in range(minutes):
        for name, clients in loops.items():
            now, has = 60.0 * minute, cores[name][-1]
            served = closed(clients(minute), cores[name][-2] if late else has, now)
            load = PoolLoad(cpu=served.cpu, rate=served.rate, in_flight=served.in_flight, limit=has, at=now)
            pods = (PoolPod(uid="pod", requested=has, allocated=has),)
            share = pool.exchange(name, PoolMember(pods=pods, minimum=LEAST, maximum=MOST, load=load), now)
            cores[name].append(share.pods["pod"])
        assert sum(values[-1] for values in cores.values()) <= BUDGET + 1e-6
    return {name: values[2:] for name, values in cores.items()}


def changes(values: Sequence[float]) -> int:
    return sum(abs(one - other) > 1e-4 for one, other in pairwise(values))


@pytest.mark.parametrize("late", [False, True])
def test_cores_move_to_the_saturated_member_within_four_intervals(late: bool) -> None:
    found = played({"a": lambda at: 8.0 * (at < 15), "b": lambda at: 8.0 * (at >= 15)}, 30, late=late)
    assert found["a"][14] > 0.9 * BUDGET
    assert found["b"][14] < 0.1 * BUDGET
    assert found["b"][15 + 3 + late] > 0.9 * BUDGET
    assert changes(found["b"][20:]) == 0


CLIENTS = st.one_of(st.integers(0, 12).map(float), st.floats(0.0, 1.0))  # less than one: it pauses between requests


@pytest.mark.long
@given(CLIENTS, CLIENTS, CLIENTS, st.booleans())
def test_constant_clients_come_to_rest(one: float, two: float, three: float, late: bool) -> None:
    loops: dict[str, Loop] = {"a": lambda _: one, "b": lambda _: two, "c": lambda _: three}
    found = played(loops, 40, late=late)
    assert all(changes(values[25:]) == 0 for values in found.values())


@pytest.mark.parametrize("late", [False, True])
def test_saturated_members_come_to_equal_cores_for_each_request(late: bool) -> None:
    found = played({"a": lambda _: 8.0, "b": lambda at: 4.0 * (at >= 10)}, 30, late=late)
    assert found["a"][9] > 0.9 * BUDGET
    assert found["b"][22] == pytest.approx(BUDGET / 3, rel=0.15)


def test_a_member_with_the_cores_that_its_requests_can_use_leaves_the_rest() -> None:
    pool = SharedPool("ml/shared", BUDGET)
    found = played({"a": lambda _: 0.3, "b": lambda _: 8.0}, 20, pool=pool)
    assert 0.3 * 1.1 - 1e-3 <= found["a"][-1] < 0.45
    assert found["b"][-1] == pytest.approx(BUDGET - found["a"][-1], abs=1e-3)
    share = pool.exchange(
        "b",
        PoolMember(
            pods=(PoolPod(uid="pod", requested=0.3, allocated=0.3),),
            minimum=LEAST,
            maximum=MOST,
            load=closed(8.0, 0.3, 1201.0),
        ),
        1201.0,
    )
    assert share.reason is Reason.POOL_EXHAUSTED
    assert "b could use more than is left of 0.7 cores" in share.text


def observed(*loads: PoolLoad) -> Demand:
    demand = Demand()
    for load in loads:
        demand = demand.observed(load, 1.0)
    return demand


def test_two_full_observations_in_a_row_saturate_and_two_others_end_it() -> None:
    full, idle = (lambda at: closed(8.0, 1.0, at)), (lambda at: PoolLoad(cpu=0.1, rate=2.0, in_flight=8.0, at=at))
    assert not observed(full(0.0)).want
    assert not observed(full(0.0), idle(1.0), full(2.0)).want
    assert observed(full(0.0), full(1.0)).want == 8.0
    assert observed(full(0.0), full(1.0), idle(2.0)).want
    assert not observed(full(0.0), full(1.0), idle(2.0), idle(3.0)).want


def test_requests_that_grow_in_number_show_the_need() -> None:
    loads = [PoolLoad(cpu=1.0, rate=20.0, in_flight=8.0 + 5.0 * at, limit=1.0, at=at) for at in (0.0, 1.0, 2.0)]
    assert observed(*loads).want == 0.0
    assert observed(*loads).now > 1.2


def test_without_limits_a_use_above_the_request_is_the_need() -> None:
    loads = [PoolLoad(cpu=1.5, rate=30.0, in_flight=8.0, at=at) for at in (0.0, 1.0, 2.0)]
    assert observed(*loads).want == 0.0
