"""What holds for every recommendation, whatever the load, the pods and the behaviour."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.behavior import down_limit, up_limit
from pilotfish.sidecar.control.scale.plan import DirectionRules, PlanSignal, RatePolicy, ScalePlan
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.state import MAX_BYTES, ScaleEvent, ScaleState
from pilotfish.sidecar.settings.scaling import ColdStart, Forecast
from tests.control.scale.random_cases import BEGUN, RandomWorld, random_scaling
from tests.control.scale.recommended import BEGIN, CONCURRENCY, LATENCY, Target, even, plan_of
from tests.support.examples import examples

SEEDS = st.integers(0, 2**32)
RULES = st.builds(
    DirectionRules,
    window=st.sampled_from((0.0, 60.0, 300.0)),
    select=st.sampled_from(("Max", "Min", "Disabled")),
    policies=st.lists(
        st.builds(RatePolicy, st.booleans(), st.integers(1, 200), st.sampled_from((15.0, 60.0, 300.0))),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


def random_plan(random: Random) -> ScalePlan:
    """Return the plan of a random block, with a gate and the extras."""
    plan = ScalePlan.of(random_scaling(random))
    gate = (LATENCY,) if random.random() < 0.5 else ()
    return replace(
        plan,
        signals=(*plan.signals, *gate),
        cold_start=random.random() < 0.5,
        forecast_period=random.choice((0.0, 3600.0)),
    )


@given(SEEDS)
@settings(max_examples=examples(120))
def test_a_recommendation_is_within_the_bounds_and_moves_at_most_to_the_load(seed: int) -> None:
    random = Random(seed)
    plan = random_plan(random)
    world = RandomWorld(random, plan, random.randint(0, plan.max_replicas + 2))
    state = ScaleState()
    for _ in range(8):
        world.now += plan.interval
        facts = world.facts()
        found, state = recommend(plan, facts, state, world.now)
        if facts.spec_replicas == 0:
            assert (found.desired, found.held) == (0, True)
        else:
            assert plan.min_replicas <= found.desired <= plan.max_replicas
        assert found.desired == facts.spec_replicas or not found.held
        assert found.text
        world.replicas = found.desired


@given(SEEDS)
@settings(max_examples=examples(200))
def test_stale_facts_change_nothing(seed: int) -> None:
    random = Random(seed)
    plan = random_plan(random)
    world = RandomWorld(random, plan, random.randint(1, plan.max_replicas + 2))
    facts = world.facts()
    found, state = recommend(plan, facts, ScaleState(), world.now + plan.max_age + 1.0)
    assert (found.desired, found.held, found.reason) == (facts.spec_replicas, True, Reason.STALE)
    again, after = recommend(plan, facts, state, world.now + plan.max_age + 20.0)
    assert (again.desired, after) == (facts.spec_replicas, state)
    assert recommend(plan, facts, state, world.now - plan.max_age - 1.0)[0].held


@given(st.integers(1, 20), st.integers(0, 500), st.booleans())
@settings(max_examples=examples(200))
def test_without_any_signal_the_number_stays(count: int, level: int, cold: bool) -> None:
    plan = plan_of(cold_start=cold)
    _, state = recommend(plan, even(count, BEGIN, concurrency=5.0 * count * level), ScaleState(), BEGIN)
    found, _ = recommend(plan, even(count, BEGIN + 15.0), state, BEGIN + 15.0)
    assert (found.desired, found.held, found.reason) == (count, True, Reason.SIGNALS_MISSING)
    assert f"{level:.2f} of its target 15 s ago" in found.text


def test_a_missing_signal_forbids_fewer_replicas_but_not_more() -> None:
    plan = plan_of(CONCURRENCY, PlanSignal("requestRate", "average", 5.0))
    for load, wanted in ((100.0, 16), (10.0, 8)):
        found, _ = recommend(plan, even(8, BEGIN, concurrency=load), ScaleState(), BEGIN)
        assert found.desired == wanted
        assert "requestRate is missing" in found.text


@given(SEEDS)
@settings(max_examples=examples(40))
def test_a_steady_load_with_noise_does_not_flap(seed: int) -> None:
    random = Random(seed)
    mean, noise = random.uniform(5.0, 80.0), random.uniform(0.0, 0.05)

    def load(_now: float) -> float:
        return mean * (1.0 + random.uniform(-noise, noise))

    target = Target(plan_of(), load, replicas=random.randint(1, 20), startup=random.choice((0.0, 60.0, 240.0)))
    target.run(900.0)
    settled = target.now
    target.run(1800.0)
    late = {after > before for at, before, after in target.changes if at > settled}
    assert len(late) <= 1, target.changes
    assert target.replicas >= mean / 5.0 / 1.16


@given(RULES, RULES, SEEDS)
@settings(max_examples=examples(60))
def test_the_policies_hold_in_every_window(up: DirectionRules, down: DirectionRules, seed: int) -> None:
    random = Random(seed)
    plan = plan_of(most=500, up=up, down=down, cold_start=False)
    level = [50.0]

    def load(_now: float) -> float:
        if random.random() < 0.2:
            level[0] = random.choice((1.0, 50.0, 400.0, 2000.0))
        return level[0]

    target = Target(plan, load, replicas=10)
    sizes = [(target.now, target.replicas)]
    for _ in range(60):
        target.step()
        sizes.append((target.now, target.replicas))
    for rules, sign in ((up, 1), (down, -1)):
        if rules.select == "Disabled":
            assert not any(sign * (after - before) > 0 for _, before, after in target.changes)
            continue
        for index, (at, after) in enumerate(sizes[1:], 1):
            if sign * (after - sizes[index - 1][1]) <= 0:
                continue
            limits = [
                limit(policy, sign, [size for time, size in sizes[:index] if at - time >= policy.period], sizes)
                for policy in rules.policies
            ]
            allowed = (max if (rules.select == "Max") == (sign > 0) else min)(limits)
            assert sign * (after - allowed) <= 0


def limit(policy: RatePolicy, sign: int, older: list[int], sizes: list[tuple[float, int]]) -> int:
    """Return the furthest size that a policy allows at a time, from the size at the start of its period."""
    start = older[-1] if older else sizes[0][1]
    if policy.percent:
        share = start * (1 + sign * policy.value / 100)
        return ceil(share) if sign > 0 else int(share)
    return start + sign * policy.value


@given(RULES, st.integers(1, 50), SEEDS)
@settings(max_examples=examples(300))
def test_select_policy_max_allows_at_least_what_min_allows_and_disabled_nothing(
    rules: DirectionRules, current: int, seed: int
) -> None:
    random = Random(seed)
    now = BEGUN
    events = tuple(ScaleEvent(0, random.randint(1, 5), now - random.uniform(0, 300)) for _ in range(3))
    state = ScaleState(ups=events, downs=tuple(ScaleEvent(one.after, 0, one.at) for one in events[:1]))
    ups, downs = {}, {}
    for select in ("Max", "Min", "Disabled"):
        same = DirectionRules(rules.window, select, rules.policies)
        plan = plan_of(up=same, down=same)
        ups[select], downs[select] = up_limit(plan, state, current, now), down_limit(plan, state, current, now)
    assert ups["Max"] >= ups["Min"] >= ups["Disabled"] == current
    assert downs["Max"] <= downs["Min"] <= downs["Disabled"] == current


@given(SEEDS)
@settings(max_examples=examples(60), deadline=None)
def test_the_state_survives_a_change_of_leader_and_stays_small(seed: int) -> None:
    random = Random(seed)
    plan = replace(random_plan(random), interval=5.0, forecast_period=3600.0)
    world = RandomWorld(random, plan, max(1, plan.min_replicas))
    state = ScaleState()
    for _ in range(30):
        world.now += random.choice((5.0, 5.0, 400.0))
        found, state = recommend(plan, world.facts(), state, world.now)
        stored = ScaleState.decode(state.encode())
        assert stored == state
        world.replicas = max(1, found.desired)
    assert len(state.encode()) <= MAX_BYTES


def test_the_extras_are_off_by_their_settings() -> None:
    scaling = random_scaling(Random(1))
    assert (scaling.cold_start, scaling.forecast) == (ColdStart(enabled=False), Forecast(enabled=False))
    assert ScalePlan.of(scaling) == ScalePlan.of(scaling).horizontal()
