"""The laws of a pool: the budget at every step, the bounds, monotonicity in the load, and no oscillation."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.pool.allocation import BAND, HEADROOM, PoolClaim, allocate
from pilotfish.sidecar.control.resize.pool.book import SharedPool
from pilotfish.sidecar.control.resize.pool.member import PoolLoad, PoolMember, PoolPod
from pilotfish.sidecar.control.resize.pool.queue import benefit, in_flight, useful
from tests.control.resize.pools import Model, Pod, held

EXACT = 1e-6  # cores: of binary fractions
SLACK = 5e-4  # cores: a share is in whole millicores
CORES = st.floats(0.0, 16.0).map(lambda cores: round(cores, 3))


@st.composite
def claims(draw: st.DrawFn) -> PoolClaim:
    minimum = draw(st.floats(0.01, 2.0))
    return PoolClaim(
        pods=draw(st.integers(0, 5)),
        minimum=minimum,
        maximum=minimum + draw(st.floats(0.0, 8.0)),
        load=draw(st.one_of(st.just(0.0), st.floats(1e-4, 12.0))),
        soon=draw(st.one_of(st.just(0.0), st.floats(0.0, 12.0))),
        want=draw(st.sampled_from((0.0, 0.0, 1.0, 16.0, math.inf))),
        parallelism=draw(st.sampled_from((1.0, 1.0, 2.0, 4.0))),
        weight=draw(st.sampled_from((1.0, 1.0, 0.2, 5.0))),
    )


POOLS = st.lists(claims(), min_size=1, max_size=5).map(
    lambda found: {f"m{place}": one for place, one in enumerate(found)}
)


@given(POOLS, st.floats(0.05, 60.0))
def test_shares_stay_within_bounds_and_budget(pool: dict[str, PoolClaim], budget: float) -> None:
    found = allocate(budget, pool)
    minima = sum(claim.pods * claim.minimum for claim in pool.values())
    assert sum(claim.pods * found.shares[name] for name, claim in pool.items()) <= max(budget, minima) + SLACK
    for name, claim in pool.items():
        assert claim.minimum - SLACK <= found.shares[name] <= claim.maximum + SLACK
    assert 0.0 <= found.covered <= 1.0


@given(POOLS, st.floats(0.05, 60.0), st.floats(0.0, 6.0), st.data())
def test_more_load_never_gets_less_and_never_gives_others_more(
    pool: dict[str, PoolClaim], budget: float, more: float, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(pool)))
    before, after = (
        allocate(budget, pool),
        allocate(budget, pool | {name: replace(pool[name], load=pool[name].load + more)}),
    )
    assert after.shares[name] >= before.shares[name] - SLACK
    if pool[name].pods:
        others = (
            other for other, claim in pool.items() if claim.pods and other != name
        )  # without pods: no cores at all
        assert all(after.shares[other] <= before.shares[other] + SLACK for other in others)


@given(POOLS, st.floats(0.05, 60.0), st.data())
def test_a_saturated_member_takes_nothing_that_others_need_now(
    pool: dict[str, PoolClaim], budget: float, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(pool)))
    found = allocate(budget, pool | {name: replace(pool[name], want=math.inf)})
    assert name not in found.short or all(
        found.shares[other] >= min(max(HEADROOM * claim.load, claim.minimum), claim.maximum) - SLACK
        for other, claim in pool.items()
        if not claim.want and other != name
    )


@given(POOLS, st.floats(0.05, 60.0), st.floats(0.0, 20.0))
def test_a_larger_budget_gives_nobody_less(pool: dict[str, PoolClaim], budget: float, more: float) -> None:
    before, after = allocate(budget, pool), allocate(budget + more, pool)
    assert all(after.shares[name] >= before.shares[name] - SLACK for name in pool)


@given(st.floats(1e-4, 30.0), st.sampled_from((0.5, 1.0, 2.0, 4.0)), st.floats(1.05, 20.0), st.floats(1.001, 1.5))
def test_each_further_core_is_worth_less_and_more_under_more_load(
    load: float, parallelism: float, times: float, factor: float
) -> None:
    cores = load * times
    assert benefit(cores * factor, load, parallelism) <= benefit(cores, load, parallelism) * (1 + 1e-9)
    assert benefit(cores, load * min(factor, 1.04), parallelism) >= benefit(cores, load, parallelism) * (1 - 1e-9)
    step = cores * 1e-6
    slope = (in_flight(cores - step, load, parallelism) - in_flight(cores + step, load, parallelism)) / (2 * step)
    if abs(cores - parallelism) > 2 * step and slope > 1e-3:  # smaller ones have no digits left
        assert benefit(cores, load, parallelism) == pytest.approx(slope, rel=1e-2)


@given(POOLS, st.floats(0.5, 60.0), st.randoms(use_true_random=False))
def test_no_other_split_has_fewer_requests_in_flight(
    pool: dict[str, PoolClaim], budget: float, chance: random.Random
) -> None:
    pool = {name: replace(claim, soon=0.0, want=0.0) for name, claim in pool.items()}
    best = allocate(budget, pool)
    if best.covered < 1.0:
        return

    shares = best.shares
    movable = [
        name for name, claim in pool.items() if claim.pods and claim.load > 0.0 and shares[name] > HEADROOM * claim.load
    ]
    if len(movable) < 2:
        return
    giver, taker = chance.sample(movable, 2)
    cores = chance.uniform(0.0, 0.2) * shares[giver]
    one, two = pool[giver], pool[taker]
    other = {giver: shares[giver] - cores / one.pods, taker: shares[taker] + cores / two.pods}

    def cost(
        shares: Mapping[str, float],
    ) -> float:  # of these two: the others keep theirs, also one that has too little
        return sum(
            claim.pods * claim.weight * in_flight(shares[name], claim.load, claim.parallelism)
            for name, claim in ((giver, one), (taker, two))
        )

    if other[giver] < max(one.minimum, HEADROOM * one.load):
        return
    if other[taker] > useful(two.load, two.parallelism, max(two.minimum, HEADROOM * two.load), two.maximum):
        return  # a pod gets no core that would lower its latency by less than 5 %, also if nobody else does
    assert cost(other) >= cost(shares) * (1 - 1e-6)


STEPS = (
    "exchange",
    "exchange",
    "decide",
    "decide",
    "write",
    "actuate",
    "refuse",
    "take_back",
    "create",
    "end",
    "load",
    "scale",
)


def cluster(chance: random.Random) -> tuple[SharedPool, dict[str, Model]]:
    """Return a pool whose pods, and those that may come, fit into the budget at the start."""
    models, needed = {}, 0.0
    for place in range(chance.randint(1, 4)):
        minimum = chance.choice((0.05, 0.1, 0.25))
        model = Model(minimum, minimum + chance.uniform(0.0, 4.0), chance.randint(1, 4), acts=chance.random() < 0.9)
        for number in range(chance.randint(0, model.most_pods)):
            cores = round(chance.uniform(minimum, model.maximum), 3)
            model.pods[f"old-{number}"] = Pod(cores, cores)
        needed += sum(pod.held for pod in model.pods.values()) + minimum * (model.most_pods - len(model.pods))
        models[f"m{place}"] = model
    pool = SharedPool("ml/shared", math.ceil(needed * 1000 + chance.choice((0, 100, 2000))) / 1000)
    pool.expect(models)
    return pool, models


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_the_budget_holds_at_every_step_in_any_order(seed: int) -> None:
    chance = random.Random(seed)
    pool, models = cluster(chance)
    now = 1000.0
    for _ in range(150):
        name = chance.choice(sorted(models))
        model, step = models[name], chance.choice(STEPS)
        now += chance.uniform(0.0, 20.0)
        if step == "exchange":
            model.exchange(pool, name, now)
        elif step == "load":
            used, rate = chance.uniform(0.0, 4.0), chance.choice((None, 0.0, 5.0, 40.0))
            waits, limit = chance.choice((None, 0.0, 3.0, 50.0)), chance.choice((None, used, 2.0 * used))
            model.load = PoolLoad(cpu=used, rate=rate, in_flight=waits, limit=limit, at=now)
        elif step == "create":
            model.create()
        elif step == "scale" and len(model.pods) < model.most_pods:
            while len(model.pods) < model.named and model.share.entry is not None:
                model.create()
        elif model.pods and step not in {"scale", "create"}:
            getattr(model, step)(chance.choice(sorted(model.pods)))
        assert held(models) <= pool.budget + EXACT
        for uid, wanted in model.share.pods.items():
            if uid in model.pods and wanted > model.pods[uid].spec + SLACK:
                assert wanted <= model.maximum + SLACK


def member(
    load: float, now: float, cores: float, *, minimum: float = 0.1, maximum: float = 4.0, rate: float = 50.0
) -> PoolMember:
    return PoolMember(
        pods=(PoolPod(uid="pod", requested=cores, allocated=cores),),
        minimum=minimum,
        maximum=maximum,
        load=PoolLoad(cpu=load, rate=25.0 * load, in_flight=load, at=now),
    )


def played(
    loads: dict[str, list[float]], budget: float = 4.0, noise: float = 0.0, seed: int = 0
) -> dict[str, list[float]]:
    """Return the cores of each member, minute by minute, in a cluster whose nodes do what they are asked to."""
    chance, pool = random.Random(seed), SharedPool("ml/shared", budget)
    pool.expect(loads)
    cores = {name: [budget / len(loads)] for name in loads}
    for minute in range(len(next(iter(loads.values())))):
        for name, values in loads.items():
            now, has = 60.0 * minute, cores[name][-1]
            used = min(has, max(0.0, chance.gauss(values[minute], noise * values[minute])))
            share = pool.exchange(name, member(used, now, has), now)
            cores[name].append(share.pods["pod"])
        assert sum(values[-1] for values in cores.values()) <= budget + EXACT
    return cores


def changes(values: list[float]) -> int:
    return sum(abs(one - other) > SLACK for one, other in pairwise(values))


@pytest.mark.parametrize("load", [1.0, *(pytest.param(load, marks=pytest.mark.long) for load in (0.3, 1.7, 1.9))])
def test_noise_moves_nothing_under_a_constant_load(load: float) -> None:
    found = played({"a": [load] * 120, "b": [0.6 * load] * 120}, noise=0.03)
    assert changes(found["a"][15:]) <= 2
    assert changes(found["b"][15:]) <= 2


@given(st.floats(0.05, 3.0), st.floats(0.05, 3.0))
def test_a_constant_load_comes_to_rest(one: float, other: float) -> None:
    found = played({"a": [one] * 30, "b": [other] * 30})
    assert changes(found["a"][10:]) == changes(found["b"][10:]) == 0


@pytest.mark.parametrize("period", [4, 20, pytest.param(60, marks=pytest.mark.long)])
def test_a_periodic_load_moves_cores_a_few_times_a_period(period: int) -> None:
    high = [1 if minute % period < period / 2 else 0 for minute in range(max(60, 4 * period))]
    found = played({"a": [0.2 + 2.2 * one for one in high], "b": [2.4 - 2.2 * one for one in high]})
    if period < 5:  # shorter than the window: both keep what they need at their peaks
        assert changes(found["a"][30:]) == 0
    else:
        assert changes(found["a"]) <= 6 * len(high) / period


def test_cores_move_from_the_idle_model_to_the_busy_one_and_back() -> None:
    found = played({"a": [2.5] * 20 + [0.0] * 20, "b": [0.0] * 20 + [2.5] * 20})
    assert found["a"][19] > 3.4
    assert found["b"][19] == 0.1
    assert found["b"][-1] > 3.4
    assert found["a"][-1] < 0.6  # it has risen by 0.5 at once


def test_a_raise_waits_until_the_node_has_lowered_the_other_one() -> None:
    pool = SharedPool("ml/shared", 4.0)
    pool.expect(("a", "b"))

    def exchange(name: str, load: float, now: float, *pods: PoolPod) -> dict[str, float]:
        one = replace(member(load, now, 2.0), pods=pods)
        return dict(pool.exchange(name, one, now).pods)

    for now in (0.0, 60.0):
        assert exchange("a", 0.0, now, PoolPod(uid="a", requested=2.0, allocated=2.0)) in ({"a": 2.0}, {"a": 0.1})
        assert exchange("b", 1.9, now, PoolPod(uid="b", requested=2.0, allocated=2.0)) == {"b": 2.0}
    exchange("a", 0.0, 120.0, PoolPod(uid="a", requested=0.1, allocated=2.0))
    assert exchange("b", 1.9, 120.0, PoolPod(uid="b", requested=2.0, allocated=2.0)) == {"b": 2.0}
    exchange("a", 0.0, 180.0, PoolPod(uid="a", requested=0.1, allocated=0.1))
    assert exchange("b", 1.9, 180.0, PoolPod(uid="b", requested=2.0, allocated=2.0)) == {
        "b": pytest.approx(3.9, abs=SLACK * 4)
    }


def test_an_exhausted_pool_slows_all_alike() -> None:
    found = allocate(
        4.0, {name: PoolClaim(pods=1, minimum=0.1, maximum=8.0, load=load) for name, load in (("a", 6.0), ("b", 2.0))}
    )
    assert found.shares["a"] / 6.0 == pytest.approx(found.shares["b"] / 2.0)
    pool = SharedPool("ml/shared", 4.0)
    pool.expect(("a", "b"))
    pool.exchange("a", member(3.0, 0.0, 2.0), 0.0)
    share = pool.exchange("b", member(3.0, 0.0, 2.0), 0.0)
    assert share.reason is Reason.POOL_EXHAUSTED
    assert "4 cores cover 61%" in share.text


def test_nothing_moves_before_all_members_are_known() -> None:
    pool = SharedPool("ml/shared", 4.0)
    pool.expect(("a", "b"))
    share = pool.exchange("a", member(0.0, 0.0, 2.0), 0.0)
    assert (share.cores, share.pods, share.reason) == (None, {"pod": 2.0}, Reason.POOL_WAITING)
    assert share.text == "pool ml/shared: nothing is known yet about b"


def test_minima_above_the_budget_move_nothing() -> None:
    pool = SharedPool("ml/shared", 1.0)
    pool.expect(("a", "b"))
    for now in (0.0, 60.0):
        for name in ("a", "b"):
            share = pool.exchange(name, member(0.5, now, 0.8, minimum=0.6), now)
    assert (share.cores, share.pods, share.reason) == (None, {"pod": 0.8}, Reason.POOL_TOO_SMALL)
    assert "the minima need 1.2 cores, and the pool has 1" in share.text


def test_a_member_without_load_keeps_what_it_has() -> None:
    pool = SharedPool("ml/shared", 4.0)
    pool.expect(("a", "b"))
    for now in (0.0, 60.0):
        silent = pool.exchange("a", replace(member(0.0, now, 1.5), load=None), now)
        other = pool.exchange("b", member(2.0, now, 2.0), now)
    assert (silent.cores, silent.pods, silent.reason) == (None, {"pod": 1.5}, Reason.USAGE_MISSING)
    assert other.pods == {"pod": pytest.approx(2.5, abs=SLACK * 4)}


def test_the_smaller_latency_target_gets_more() -> None:
    pool = SharedPool("ml/shared", 4.0)
    pool.expect(("a", "b"))
    for now in (0.0, 60.0, 120.0):
        one = pool.exchange("a", replace(member(1.0, now, 2.0), latency_target=0.1), now)
        other = pool.exchange("b", replace(member(1.0, now, 2.0), latency_target=1.0), now)
    assert one.cores is not None
    assert other.cores is not None
    assert one.cores > 1.2 * other.cores


def test_what_nobody_needs_stays_unassigned_and_is_for_new_pods() -> None:
    pool = SharedPool("ml/shared", 40.0)
    pool.expect(("a",))
    share = pool.exchange("a", replace(member(1.0, 0.0, 2.0, maximum=30.0), may_come=1), 0.0)
    assert share.cores is not None
    assert share.cores < 4.0
    assert share.entry == share.cores


def test_room_is_left_for_a_load_that_rises_faster_than_a_share_follows() -> None:
    bursts = [1.6 if minute % 40 < 10 else 0.1 for minute in range(160)]
    found = played({"a": bursts, "b": [2.0] * 160})
    assert all(cores >= 1.6 for cores in found["a"][90:])
    slow = [0.1 + 1.5 * minute / 160 for minute in range(160)]
    assert played({"a": slow, "b": [2.0] * 160})["a"][60] < 1.6


def test_a_change_within_the_band_is_not_made() -> None:
    found = played({"a": [1.5] * 20 + [1.5 * (1 + BAND / 4)] * 20, "b": [1.0] * 40})
    assert changes(found["a"][10:]) == 0
