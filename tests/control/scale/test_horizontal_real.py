"""The recommender against Kubernetes' own HorizontalController, on random cases."""

from __future__ import annotations

from random import Random

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.plan import ScalePlan
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.state import ScaleState, scaled
from tests.control.scale.random_cases import BEGUN, RandomWorld, random_scaling
from tests.support.horizontal import Horizontal, running_horizontal

pytestmark = pytest.mark.real
CASES = 1500
STEPS = 12


def compare(horizontal: Horizontal, seed: int) -> list[str]:
    """Return the steps of the case in which the recommender decides differently."""
    random = Random(seed)
    scaling = random_scaling(random)
    plan, state = ScalePlan.of(scaling).horizontal(), ScaleState()
    world = RandomWorld(random, plan, random.randint(0, plan.max_replicas + 2) or random.randint(0, 1))
    horizontal.begin(scaling, world.replicas, BEGUN)
    differences = []
    for number in range(STEPS):
        world.now += plan.interval
        changed = random.random() < 0.05
        if changed:
            world.replicas = random.randint(0, plan.max_replicas + 2)
        facts = world.facts()
        found, state = recommend(plan, facts, state, world.now)
        if found.desired != world.replicas:
            state = scaled(state, world.replicas, found.desired, world.now)
        answer = horizontal.step(facts, changed=changed)
        held = found.reason is Reason.SIGNALS_MISSING
        if (answer.replicas != found.desired) or (held and not answer.reason.startswith("Failed")):
            differences.append(f"case {seed}, step {number}: {answer} but {found}\n  {plan}\n  {facts}")
        world.replicas = answer.replicas
        if differences:
            break
    return differences


def test_the_recommender_decides_as_the_horizontal_controller() -> None:
    with running_horizontal() as horizontal:
        found = [line for seed in range(CASES) for line in compare(horizontal, seed)]
    assert not found, f"{len(found)} of {CASES} cases differ; the first:\n{found[0]}"
