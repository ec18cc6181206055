"""The conditions of a monitor follow the table of `control.conditions`; their times change with their status only."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.detection.results import EpisodeStatus
from pilotfish.sidecar.control.conditions import CONDITIONS
from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.status import FleetStatus
from pilotfish.sidecar.control.manager.accepted import accept
from pilotfish.sidecar.control.manager.conditions import ConditionFinding, MonitorView, findings
from pilotfish.sidecar.control.manager.core import VersionState
from pilotfish.sidecar.control.manager.injection import InjectionFinding
from pilotfish.sidecar.control.manager.reporting import build_report
from pilotfish.sidecar.control.manager.status import build_status
from pilotfish.sidecar.control.manager.trouble import Trouble
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.report.control_status import ControlStatus, IntentStatus, RetrainingState
from pilotfish.sidecar.report.schema import BlindSpot
from pilotfish.sidecar.settings.document import ProfileSource
from tests.control.manager.worlds import NOON, monitor_item, reference

DOCUMENT = accept(json.dumps(monitor_item()).encode(), "test")
CONFIG_MAP, LEARN = DOCUMENT.monitor.spec.profiles[0], ProfileSource(version="7", learn={})  # type: ignore[arg-type]
WATCHED = VersionState("7", reference())
CALM = FleetDetector(reference(), DOCUMENT.drift, "7").status()
EPISODE = EpisodeStatus("e1", "features", 10, 9, None, None, True, ())
TROUBLES = (
    Reason.API_SERVER_UNREACHABLE,
    Reason.CHECKPOINT_FAILED,
    Reason.DOCUMENT_INVALID,
    Reason.NOT_AUTHORIZED,
    Reason.PROFILE_INVALID,
    Reason.PROFILE_NOT_FOUND,
    Reason.TARGET_NOT_FOUND,
)


def fleet(heard: int, expected: int, *, holding: bool) -> FleetStatus:
    return replace(CALM, heard=heard, expected=expected, holding=Reason.QUORUM_MISSING if holding else None)


def view(**changes: object) -> MonitorView:
    given = {
        "generation": 1,
        "document": DOCUMENT,
        "versions": (WATCHED,),
        "wanted": {"7": CONFIG_MAP},
        "served": frozenset({"7"}),
        "primary": "7",
        "fleet": fleet(3, 3, holding=False),
    }
    return MonitorView(**{**given, **changes})  # type: ignore[arg-type]  # a table of tests names the fields


def drifted() -> MonitorView:
    status = replace(CALM.monitor, episodes=(EPISODE,))
    report = build_report(DOCUMENT, "7", reference(), status, made_at=NOON, started_at=NOON)
    return view(report=report)


def intent(state: str, **changes: object) -> IntentStatus:
    given = {
        "id": "retrain-1",
        "kind": "retrain",
        "episode": "e1",
        "state": state,
        "reason": "drift",
        "attempts": 1,
        "decided_at": NOON,
    }
    return IntentStatus(**{**given, **changes})  # type: ignore[arg-type]


def of(found: tuple[ConditionFinding, ...], kind: str) -> str:
    item = next(item for item in found if item.type == kind)
    return f"{item.status}/{item.reason}"


intents = st.builds(
    intent,
    st.sampled_from(["pending", "delivered", "dead", "refused", "recommended", "superseded"]),
    attempts=st.integers(0, 5),
    error=st.sampled_from([None, "timeout", "tls", "template_not_found", "not_authorized"]),
    retraining=st.none()
    | st.builds(
        RetrainingState,
        kind=st.just("Job"),
        name=st.just("j"),
        state=st.sampled_from(["requested", "running", "succeeded", "failed"]),
        reason=st.sampled_from(
            [
                "",
                "retraining_requested",
                "retraining_failed",
                "retraining_gone",
                "retraining_succeeded",
                "no_improvement",
            ]
        ),
    ),
)
views = st.builds(
    replace,
    st.sampled_from([view(), drifted(), view(primary=None, served=frozenset(), versions=(), fleet=None)]),
    document=st.sampled_from([DOCUMENT, None]),
    troubles=st.lists(st.builds(Trouble, st.sampled_from(TROUBLES), st.just("text")), max_size=2).map(tuple),
    versions=st.sampled_from(
        [(), (WATCHED,), (VersionState("7"),), (VersionState("7", trouble=Trouble(Reason.PROFILE_INVALID, "x")),)]
    ),
    wanted=st.sampled_from([{}, {"7": CONFIG_MAP}, {"7": LEARN}]),
    served=st.sampled_from([frozenset(), frozenset({"7"}), frozenset({"7", "8"})]),
    fleet=st.none() | st.builds(fleet, st.integers(0, 3), st.integers(3, 4), holding=st.booleans()),
    blind=st.lists(
        st.builds(
            BlindSpot,
            reason=st.sampled_from(["bypassed", "no_profile"]),
            text=st.just("t"),
            since=st.just(0.0),
            total=st.just(True),
        ),
        max_size=2,
    ).map(tuple),
    control=st.none() | st.lists(intents, max_size=3).map(lambda items: ControlStatus(intents=tuple(items))),
    stopped=st.sampled_from([None, Reason.PAUSED, Reason.KILL_SWITCH]),
    injection=st.none()
    | st.builds(
        InjectionFinding,
        st.integers(0, 3),
        st.integers(0, 3),
        why=st.just("why"),
        trouble=st.none() | st.builds(Trouble, st.sampled_from(TROUBLES), st.just("text")),
    ),
    bypass_trouble=st.none() | st.builds(Trouble, st.sampled_from(TROUBLES), st.just("text")),
    shared=st.integers(0, 2),
    loaded=st.booleans(),
    contact_lost=st.booleans(),
)


@given(views)
def test_every_condition_has_a_reason_that_the_table_allows(given_view: MonitorView) -> None:
    for item in findings(given_view):
        allowed = CONDITIONS[item.type]
        reasons = {"True": allowed.true, "False": allowed.false, "Unknown": allowed.unknown}[item.status]
        assert item.reason in {reason.camel for reason in reasons}, item


@given(views)
def test_drift_never_makes_a_monitor_unready(given_view: MonitorView) -> None:
    calm = replace(given_view, report=None)
    assert of(findings(given_view), "Ready") == of(findings(calm), "Ready")


def test_the_message_of_a_block_says_what_a_person_has_to_do() -> None:
    stuck = ControlStatus(
        intents=(
            intent("pending", attempts=4, error="template_not_found", detail="CronJob train is missing; create it"),
        )
    )
    item = next(item for item in findings(replace(drifted(), control=stuck)) if item.type == "Blocked")
    assert (item.status, item.reason) == ("True", "TemplateNotFound")
    assert "create it" in item.message


@pytest.mark.parametrize(
    ("state", "reason", "shown"),
    [
        ("running", "", "True/RetrainingRequested"),
        ("requested", "retraining_requested", "True/RetrainingRequested"),
        ("succeeded", "retraining_succeeded", "False/RetrainingSucceeded"),
        ("failed", "retraining_failed", "False/RetrainingFailed"),
    ],
)
def test_a_retraining_is_shown_until_its_object_ends(state: str, reason: str, shown: str) -> None:
    record = RetrainingState(kind="Job", name="j", state=state, reason=reason)
    control = ControlStatus(intents=(intent("delivered", retraining=record),))
    assert of(findings(replace(drifted(), control=control)), "Retraining") == shown


@pytest.mark.parametrize(("heard", "ready"), [(3, "True/Monitoring"), (1, "False/QuorumMissing")])
def test_a_missing_quorum_makes_a_monitor_unready(heard: int, ready: str) -> None:
    assert of(findings(view(fleet=fleet(heard, 3, holding=heard < 3))), "Ready") == ready


def test_the_time_of_a_condition_changes_only_with_its_status() -> None:
    first = build_status(view(), None, NOON)
    same = build_status(view(), first, NOON + 60)
    drift = build_status(drifted(), same, NOON + 120)
    assert same == first
    times = {item["type"]: item["lastTransitionTime"] for item in drift["conditions"]}
    assert times["Drifted"] != times["Ready"] == first["conditions"][0]["lastTransitionTime"]
