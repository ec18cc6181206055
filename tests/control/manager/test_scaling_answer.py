"""The number for other autoscalers: given where the controller would act itself, and only with `surface: metric`."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.control.manager.scaling_answer import scale_answer
from pilotfish.sidecar.control.manager.server.backend import ScaleAnswer
from pilotfish.sidecar.control.manager.switch import PAUSED
from tests.control.manager.fleets import SCALING, Fleet

pytestmark = pytest.mark.asyncio

METRIC = {**SCALING, "surface": "metric"}


async def published(**fields: Any) -> Fleet:
    """Return a fleet with a load for 6 replicas, whose number is published."""
    fleet = Fleet(**{"scaling": METRIC, "load": 60.0, **fields})
    await fleet.begin()
    await fleet.elapse(60.0)
    return fleet


def answer(fleet: Fleet) -> ScaleAnswer:
    """Return the answer for the fleet now."""
    return scale_answer(fleet.life.runtime.replicas)


async def test_the_number_and_the_replicas_are_given_with_the_reason() -> None:
    fleet = await published()
    found = answer(fleet)
    assert (found.desired, found.current, found.problem) == (6, fleet.replicas, "")
    assert found.reason
    assert 0 <= fleet.small.now - found.at <= 15.0


@pytest.mark.parametrize(
    ("fields", "reason", "text"),
    [
        ({"scaling": SCALING}, "not_published", "set spec.scaling.surface to metric"),
        ({"mode": "recommend"}, "mode", "the mode is recommend"),
        ({"load": None}, "signals_missing", "signals"),
    ],
)
async def test_there_is_no_number_where_the_controller_would_not_act(
    fields: dict[str, Any], reason: str, text: str
) -> None:
    found = answer(await published(**fields))
    assert (found.reason, text in found.problem) == (reason, True), found


async def test_the_number_ends_with_the_signals_and_comes_back_with_them() -> None:
    fleet = await published()
    fleet.load = None
    await fleet.elapse(60.0)
    assert answer(fleet).problem
    fleet.load = 60.0
    await fleet.elapse(60.0)
    assert (answer(fleet).desired, answer(fleet).problem) == (6, "")


async def test_a_paused_monitor_gives_no_number() -> None:
    fleet = await published()
    fleet.life.runtime.item = {
        **fleet.item(),
        "metadata": {**fleet.item()["metadata"], "annotations": {PAUSED: "true"}},
    }
    assert answer(fleet).reason == "paused"


async def test_a_monitor_without_scaling_says_so() -> None:
    assert "spec.scaling" in scale_answer(None).problem
