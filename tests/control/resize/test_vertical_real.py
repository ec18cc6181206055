"""The recommender against that of the VerticalPodAutoscaler, on random histories.

Both round down to whole millicores and bytes, so an amount may differ by one. Where the weight below a bucket equals
the percentile up to the last bit of a power of two, the next bucket is as right: shares one in 10^12 off are accepted.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pilotfish.sidecar.control.resize.plan import PlanResource, ResizePlan
from pilotfish.sidecar.control.resize.recommender import UNITS, observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from tests.control.resize.histories import RandomHistory, as_vertical
from tests.support.vertical import Vertical, VerticalAnswer, running_vertical

pytestmark = pytest.mark.real
CASES = 1000
STEPS = 60


def compare(vertical: Vertical, seed: int) -> str:
    """Return the first step of the case in which the recommendations differ; empty without one."""
    random = Random(seed)
    resources = as_vertical(percentile=random.choice((0.9, 0.9, 0.5, 0.95)), margin=random.choice((0.15, 0.15, 0.0, 1)))
    plan, state = ResizePlan.of(resources), ResizeState()
    vertical.begin(resources)
    for number, seen in enumerate(RandomHistory(seed).steps(STEPS)):
        state = observe(state, plan, seen.usages, seen.kills, seen.now)
        if random.random() < 0.1:
            state = ResizeState.decode(state.encode())
        answer = vertical.step(seen.usages, seen.kills, seen.now, seen.pods)
        if not any(equal(shifted(plan, shift), state, seen.now, answer) for shift in (0.0, -1e-12, 1e-12)):
            return f"case {seed}, step {number}: {answer}, not {recommend(plan, state, seen.now)}\n  {seen}"
    return ""


def shifted(plan: ResizePlan, shift: float) -> ResizePlan:
    """Return the plan with all percentiles moved by `shift`."""

    def moved(one: PlanResource) -> PlanResource:
        return replace(one, lower=one.lower + shift, target=one.target + shift, upper=one.upper + shift)

    return replace(plan, resources={name: moved(one) for name, one in plan.resources.items()})


def equal(plan: ResizePlan, state: ResizeState, now: float, answer: VerticalAnswer) -> bool:
    """Return whether all amounts agree; those without a sample are the minimum in the answer, and not compared."""
    found = recommend(plan, state, now)
    return all(
        abs(round(ours * UNITS[name][1]) - theirs[name]) <= 1
        for part, theirs in ((found.target, answer.target), (found.lower, answer.lower), (found.upper, answer.upper))
        for name, ours in part.items()
    )


def test_recommendations_equal_those_of_the_vertical_pod_autoscaler() -> None:
    with running_vertical() as vertical:
        found = [line for seed in range(CASES) if (line := compare(vertical, seed))]
    assert not found, f"{len(found)} of {CASES} cases differ; the first:\n{found[0]}"
