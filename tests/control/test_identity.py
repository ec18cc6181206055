"""Identity: ids of a cluster belong to one ModelMonitor, and those of `pilotfish run` stay as they are."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.intent import id_of_cause, id_of_event, level
from pilotfish.sidecar.control.notify.policy import wanted_intents as wanted_notifications
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from pilotfish.sidecar.control.situation import Fact, Subject
from tests.control.retraining import MEMBER, UID, intent_for
from tests.control.situations import NOON, SUBJECT, episode, notified, situation

NAMES = st.text(max_size=5)
SUBJECTS = st.builds(Subject, NAMES, NAMES, NAMES, NAMES, NAMES, st.sampled_from(("", "u1", "u2")))


def test_ids_of_a_process_outside_of_a_cluster_stay_as_they_are() -> None:
    subject = replace(SUBJECT, monitor="m")
    assert id_of_cause("retrain", subject, "e1") == "retrain-9c65db904a620791268e57e802cf72ba"
    assert id_of_event("notify", subject, "r1", "e1", "alarm_opened") == "notify-de57717cf420ccffd2dccd3fce1bb276"
    observed: Fact[object] = Fact(2, NOON)
    made = level("scale", subject, "default/Deployment/delays", desired=4, observed=observed, why="latency")
    assert made.id == "scale-47f19ee601757a6ecde3521294cbe7c7"


@given(SUBJECTS, SUBJECTS)
def test_two_monitors_share_no_id(one: Subject, other: Subject) -> None:
    if one.uid != other.uid:
        assert id_of_cause("retrain", one, "e1") != id_of_cause("retrain", other, "e1")
        assert id_of_event("notify", one, "r", "e1", "x") != id_of_event("notify", other, "r", "e1", "x")


def test_an_event_names_the_monitor_in_a_cluster_only() -> None:
    event = json.loads(str(intent_for().desired))
    assert event["source"] == "/namespaces/flights/modelmonitors/delays"
    assert event["data"]["monitor"] == {"namespace": "flights", "name": "delays", "uid": UID}
    (notification,) = wanted_notifications(replace(notified(episode()), subject=MEMBER))
    assert json.loads(str(notification.desired))["source"] == event["source"]
    (local,) = wanted_intents(situation(episode()))
    event = json.loads(str(local.desired))
    assert event["source"] == "/pilotfish/models/delays"
    assert "monitor" not in event["data"]
