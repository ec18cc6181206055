"""Alerts of Alertmanager: the parser, the alerts of each monitor, and the retrainings that they request."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.ledger import IntentLedger, PutEntry
from pilotfish.sidecar.control.observe import build_situation
from pilotfish.sidecar.control.pending import superseded_changes
from pilotfish.sidecar.control.retrain.alerts import (
    KEPT_SECONDS,
    MAX_ALERTS,
    MAX_KEPT,
    AlertBook,
    AlertError,
    AlertFacts,
    parse_alerts,
)
from pilotfish.sidecar.control.retrain.policy import POLICY, wanted_intents
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.settings.load import parse
from tests.control.situations import NOON, entry
from tests.control.test_observe import DOCUMENT, REPORT

LABELS = {"alertname": "AccuracyLow", "namespace": "flights", "monitor": "delays", "severity": "page"}


def alert(fingerprint: str = "aa11", **fields: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "s"},
        "startsAt": "2023-11-14T21:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint,
    } | fields


def payload(*alerts: dict[str, Any], **fields: Any) -> bytes:
    whole = {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "pilotfish",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }
    return json.dumps(whole | fields).encode()


def book(*bodies: bytes, now: float = NOON) -> AlertBook:
    made = AlertBook()
    for body in bodies:
        made.take(parse_alerts(body), now)
    return made


def facts(made: AlertBook, now: float = NOON) -> tuple[AlertFacts, ...]:
    return made.facts("flights", "delays", now)


def situation_of(alerts: tuple[AlertFacts, ...], on: str = "[alert]", names: str = "[AccuracyLow]") -> Situation:
    document = (DOCUMENT % ("act", "}\n    causes: " + on + "\n    alerts: " + names + "\n    # {")).encode()
    quiet = msgspec.structs.replace(REPORT, episodes=())
    return build_situation(quiet, parse(document, "test", cluster=True), IntentLedger(), NOON, alerts=alerts)


def test_a_repeated_alert_is_one_cause_until_it_starts_again() -> None:
    made = book(payload(alert()), payload(alert(), alert()), payload(alert(startsAt="2023-11-14T22:00:00Z")))
    assert [one.cause.id for one in facts(made)] == ["alert-aa11-1699995600123", "alert-aa11-1699999200000"]


def test_an_alert_that_has_ended_stays_so_whatever_arrives_late() -> None:
    made = book(payload(alert()), payload(alert(status="resolved")), payload(alert()))
    assert [one.cause.closed_by for one in facts(made)] == ["resolved"]


@pytest.mark.parametrize("label", ["namespace", "monitor"])
def test_an_alert_that_names_no_monitor_is_ignored(label: str) -> None:
    labels = {name: value for name, value in LABELS.items() if name != label}
    assert facts(book(payload(alert(labels=labels)))) == ()


def test_the_alerts_of_a_monitor_are_its_own_bounded_and_forgotten() -> None:
    made = book(*(payload(alert(f"f{index}")) for index in range(MAX_KEPT + 5)))
    assert len(facts(made)) == MAX_KEPT
    assert made.facts("other", "delays", NOON) == ()
    made.forget_all_but({("other", "delays")})
    assert facts(made) == ()
    made = book(payload(alert()))
    assert len(facts(made, NOON + KEPT_SECONDS)) == 1
    assert facts(made, NOON + KEPT_SECONDS + 1) == ()


def test_a_listed_alert_requests_a_retraining_with_its_labels() -> None:
    (intent,) = wanted_intents(situation_of(facts(book(payload(alert())))))
    data = json.loads(str(intent.desired))["data"]
    assert (intent.why, data["cause"], data["family"]) == ("alert", "alert", "AccuracyLow")
    assert (data["detail"]["alert"]["labels"], data["openedAt"]) == (
        dict(sorted(LABELS.items())),
        "2023-11-14T21:00:00Z",
    )


def test_an_alert_that_is_not_listed_requests_nothing() -> None:
    assert wanted_intents(situation_of(facts(book(payload(alert()))), names="[Other]")) == ()


def test_the_id_of_an_alert_does_not_change_with_the_version() -> None:
    found = situation_of(facts(book(payload(alert()))))
    newer = replace(found, subject=replace(found.subject, version="8", profile_hash="bb"))
    assert wanted_intents(found)[0].id == wanted_intents(newer)[0].id


def test_an_alert_that_ends_before_its_request_was_sent_supersedes_it() -> None:
    found = situation_of(facts(book(payload(alert(status="resolved")))))
    pending = entry(episode="alert-aa11-1699995600123", profile_hash=found.subject.profile_hash)
    (change,) = superseded_changes(POLICY, (), replace(found, ledger=IntentLedger().apply([PutEntry(pending)])))
    assert (change.state, change.reason) == ("superseded", "resolved")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        payload(version="3"),
        payload(alert(status="unknown")),
        payload(alert(fingerprint="")),
        payload(alert(fingerprint="a b")),
        payload(alert(startsAt="yesterday")),
        payload(alert(startsAt="2023-11-14T21:00:00")),
        payload(alert(labels={"a": 1})),
        payload(alert(labels={str(index): "" for index in range(101)})),
        payload(*([alert()] * (MAX_ALERTS + 1))),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(AlertError, match="alerts"):
        parse_alerts(body)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.sampled_from(sorted(alert())), JSON), st.binary())
def test_any_body_gives_alerts_or_an_error(fields: dict[str, Any], raw: bytes) -> None:
    for body in (raw, payload(alert() | fields), payload(alert())[: len(raw)]):
        try:
            made = book(body)
        except AlertError:
            continue
        assert len(facts(made)) <= 1
