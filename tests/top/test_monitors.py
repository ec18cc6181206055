"""The state of a ModelMonitor in one word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.top.monitors import monitor_state
from tests.support.examples import examples


def item(*conditions: tuple[str, str, str], paused: bool = False) -> dict[str, Any]:
    listed = [
        {"type": kind, "status": status, "reason": reason, "message": "why"} for kind, status, reason in conditions
    ]
    annotations = {"pilotfish.dev/paused": "true"} if paused else {}
    return {"metadata": {"annotations": annotations}, "status": {"conditions": listed}}


READY = ("Ready", "True", "Monitoring")


@pytest.mark.parametrize(
    ("found", "state", "tone"),
    [
        (item(), "no status", "warning"),
        (item(READY), "watching", "good"),
        (item(("Ready", "False", "PodsSilent"), ("Drifted", "True", "DriftDetected")), "PodsSilent", "bad"),
        (item(("Ready", "Unknown", "Waiting")), "Waiting", "warning"),
        (item(READY, ("Drifted", "True", "DriftDetected")), "drift", "warning"),
        (item(READY, ("Blocked", "True", "KillSwitch"), ("Drifted", "True", "x")), "blocked: KillSwitch", "bad"),
        (item(READY, ("Learning", "True", "Learning")), "learning", "good"),
        (item(READY, ("Degraded", "True", "PartlyBlind")), "degraded: PartlyBlind", "warning"),
        (item(READY, paused=True), "paused", "warning"),
    ],
)
def test_the_most_important_condition_is_shown(found: dict[str, Any], state: str, tone: str) -> None:
    shown = monitor_state(found)
    assert (shown.state, shown.tone) == (state, tone)


@pytest.mark.parametrize(
    ("resources", "sized"), [([{"container": "model", "resized": 2}], 2), ([{"container": "model"}], 0), ([], None)]
)
def test_the_pods_with_the_recommended_requests_are_counted(resources: list[Any], sized: int | None) -> None:
    assert monitor_state({"status": {"resources": resources}}).sized == sized


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["conditions", "pods", "heard", "type", "status", "metadata"]), inner),
    ),
    max_leaves=6,
)


@settings(max_examples=examples(100))
@given(st.dictionaries(st.sampled_from(["status", "metadata", "spec"]), values))
def test_any_object_has_a_state(found: dict[str, Any]) -> None:
    shown = monitor_state(found)
    assert shown.state
    assert shown.state.isprintable()
    assert shown.heard is None or shown.heard >= 0
