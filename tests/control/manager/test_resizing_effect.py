"""A container that uses no more after a resize is named, with its runtime."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.control.manager.resizing_effect import EffectWatch
from pilotfish.sidecar.control.resize.attempts import Attempt, Attempts
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from tests.control.situations import NOON

ONE, TWO = ({"requests": {"cpu": "1"}, "limits": {"cpu": cores}} for cores in ("1", "2"))
TEMPLATE = {"containers": [{"name": "model", "image": "m", "env": [{"name": "OMP_NUM_THREADS", "value": "1"}]}]}
KEY = "Pod/team/a/uid-a/model"


def pod(started: str = "2023-11-14T00:00:00Z") -> dict[str, Any]:
    status = {"name": "model", "state": {"running": {"startedAt": started}}}
    return {
        "metadata": {"name": "a", "namespace": "team", "uid": "uid-a"},
        "status": {"containerStatuses": [status]},
    }


def used(cores: float, at: float, throttled: float = 0.0) -> ContainerUsage:
    return ContainerUsage(
        pod_uid="uid-a", container="model", cpu_cores=cores, memory_bytes=2.0**27, throttled_ratio=throttled, at=at
    )


def texts(after: float, attempts: Attempts | None = None, **fields: Any) -> tuple[str, ...]:
    """Return what is said about a container that was throttled at 1 core, and uses `after` with a limit of 2."""
    made = Attempt(before=ONE, after=TWO, at=NOON, why="outside_bounds")
    watch, found = EffectWatch(), tuple[str, ...]()
    for minute in range(-5, 10):
        now = NOON + 60.0 * minute
        usage = used(1.0, now, 0.4) if minute < 0 else used(after, now)
        known = attempts or Attempts({KEY: made} if minute >= 0 else {})
        found = watch.look([pod(**fields)], [usage], known, TEMPLATE, "model", busy=None, now=now)
    return found


def test_a_runtime_that_stays_at_its_old_limit_is_named() -> None:
    [text] = texts(after=1.0)
    assert "from 1 to 2" in text
    assert "OMP_NUM_THREADS" in text


@pytest.mark.parametrize("fields", [{"after": 1.6}, {"after": 1.0, "started": "2099-01-01T00:00:00Z"}])
def test_a_container_that_uses_more_or_has_restarted_is_not(fields: dict[str, Any]) -> None:
    assert texts(**fields) == ()


def test_a_change_that_was_taken_back_has_no_effect_to_look_for() -> None:
    back = Attempt(before=ONE, after=TWO, at=NOON, why="resize_infeasible")
    assert texts(1.0, Attempts({KEY: back})) == ()
