"""When a request changes: outside of the bounds, after a kill, or far from the target for long; never to and fro."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import ResourceRecommendation, observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.control.resize.wish import MOVED_SECONDS, find_wish, rounded, target_of
from pilotfish.sidecar.podspec.amounts import Kind
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources
from tests.control.situations import NOON
from tests.support.examples import examples

SETTINGS = Resources(container="model", cpu=CpuRange(max=4, min=0.01), memory=MemoryRange(max=2**32, min=1))
MI = 2**20


def recommended(**changes: Any) -> ResourceRecommendation:
    values: dict[str, Any] = {
        "container": "model",
        "target": {"cpu": 1.0, "memory": 512.0 * MI},
        "lower": {"cpu": 0.8, "memory": 400.0 * MI},
        "upper": {"cpu": 2.0, "memory": 1024.0 * MI},
        "uncapped": {},
        "confidence_days": 1.0,
        "samples": 1440,
        "reason": Reason.RESIZING,
        "text": "",
        **changes,
    }
    return ResourceRecommendation(**values)


def wish(cpu: str = "1", memory: int = 512, **changes: Any) -> tuple[str, dict[str, Fraction]]:
    """Return the reason and the target for a container with these requests, changed an hour ago."""
    found = recommended()
    values: dict[str, Any] = {"changed_at": NOON - 3600, "killed_at": 0.0, "now": NOON, **changes}
    requests: dict[Kind, Fraction] = {"cpu": Fraction(cpu), "memory": Fraction(memory * MI)}
    made = find_wish(requests, found, target_of(found, SETTINGS), **values)
    return str(made.why), {str(kind): amount for kind, amount in made.target.items()}


OLD = {"changed_at": NOON - MOVED_SECONDS}
CASES: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "at the target": ({}, "within_bounds", set()),
    "below the lower bound": ({"cpu": "0.7"}, "outside_bounds", {"cpu"}),
    "above the upper bound": ({"cpu": "2.1"}, "outside_bounds", {"cpu"}),
    "both": ({"cpu": "0.7", "memory": 100}, "outside_bounds", {"cpu", "memory"}),
    "a little away": ({"cpu": "0.95", **OLD}, "within_bounds", set()),
    "away for less than 12 hours": ({"cpu": "0.8"}, "within_bounds", set()),
    "away for 12 hours": ({"cpu": "0.8", **OLD}, "target_moved", {"cpu"}),
    "killed": ({"memory": 500, "killed_at": NOON - 60}, "oom_killed", {"memory"}),
    "killed before the last change": ({"memory": 500, "killed_at": NOON - 7200}, "within_bounds", set()),
    "killed with more than the target": ({"memory": 600, "killed_at": NOON - 60}, "within_bounds", set()),
    "withheld": ({"cpu": "0.1", "withheld": {"cpu"}}, "within_bounds", set()),
    "in a pool": ({"cpu": "0.9", "pooled": True}, "pool_share", {"cpu"}),
}


@pytest.mark.parametrize(("given_", "reason", "kinds"), CASES.values(), ids=CASES)
def test_a_request_changes_for_a_reason(given_: dict[str, Any], reason: str, kinds: set[str]) -> None:
    why, target = wish(**given_)
    assert (why, set(target)) == (reason, kinds)


def test_a_resource_without_a_request_stays() -> None:
    found = recommended()
    made = find_wish({}, found, target_of(found, SETTINGS), changed_at=0.0, killed_at=NOON, now=NOON)
    assert made.target == {}


def test_targets_are_rounded_up_and_stay_below_the_maximum() -> None:
    assert rounded("cpu", 0.0301, SETTINGS) == Fraction(31, 1000)
    assert rounded("memory", 10 * MI + 2000, SETTINGS) == 11 * MI
    assert rounded("cpu", 4.0, SETTINGS) == rounded("cpu", 9.0, SETTINGS) == 4
    assert rounded("cpu", 0.1 + 0.2, SETTINGS) == Fraction(3, 10)


USES = st.lists(st.floats(0.001, 6.0), min_size=1, max_size=40)


@settings(max_examples=examples(100), deadline=None)
@given(USES, st.floats(0.01, 4.0))
def test_a_request_that_was_changed_stays_while_nothing_new_is_known(uses: list[float], request: float) -> None:
    plan, state, now = ResizePlan.of(SETTINGS), ResizeState(), NOON
    for cores in uses:
        now += 60.0
        usage = ContainerUsage(pod_uid="a", container="model", cpu_cores=cores, memory_bytes=cores * 2**28, at=now)
        state = observe(state, plan, [usage], [], now)
    found = recommend(plan, state, now)
    target = target_of(found, SETTINGS)
    requests: dict[Kind, Fraction] = {"cpu": Fraction(request), "memory": Fraction(request) * 2**28}
    made = find_wish(requests, found, target, changed_at=0.0, killed_at=0.0, now=now)
    again = find_wish({**requests, **made.target}, found, target, changed_at=now, killed_at=0.0, now=now + 1e6)
    assert set(again.target) <= set(requests) - set(made.target)


@settings(max_examples=examples(40), deadline=None)
@given(st.floats(0.05, 3.0), st.lists(st.floats(-0.2, 0.2), min_size=60, max_size=60))
def test_noise_of_a_fifth_around_a_constant_use_changes_a_request_at_most_twice(
    level: float, noise: list[float]
) -> None:
    plan, state, now = ResizePlan.of(SETTINGS), ResizeState(), NOON
    requests: dict[Kind, Fraction] = {"cpu": Fraction(1)}
    changes, changed_at = 0, NOON
    for hour in range(36):
        for minute in range(0, 60, 10):
            now += 600.0
            cores = level * (1 + noise[(hour * 7 + minute) % len(noise)])
            usage = ContainerUsage(pod_uid="a", container="model", cpu_cores=cores, memory_bytes=None, at=now)
            state = observe(state, plan, [usage], [], now)
        found = recommend(plan, state, now)
        made = find_wish(
            requests, found, target_of(found, SETTINGS), changed_at=changed_at, killed_at=0.0, now=now
        )  # fmt: skip
        if "cpu" in made.target:
            requests, changes, changed_at = {**requests, "cpu": made.target["cpu"]}, changes + 1, now
    assert changes <= 2
