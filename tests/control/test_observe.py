"""The situation that is built from the report and the document."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest

from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.observe import build_situation
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from pilotfish.sidecar.control.situation import RetrainRules, Situation, Subject
from pilotfish.sidecar.report.schema import (
    Effects,
    EpisodeFeatureReport,
    EpisodeReport,
    FeatureReport,
    LossEstimate,
    Performance,
    ProfileInfo,
    Report,
    ScoreReport,
    TickStatus,
)
from pilotfish.sidecar.settings.load import parse
from tests.control.situations import NOON

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: delays}
spec:
  mode: %s
  retrain:
    cooldown: 2h
    webhook: {url: "http://127.0.0.1:1/hook"%s}
"""
TARGET = hashlib.sha256(b"http://127.0.0.1:1/hook").hexdigest()[:16]
PSI = ScoreReport(0.5, 0.4, 0.6)
EFFECTS = Effects(
    first_tick=1,
    last_tick=60,
    rows=1000,
    psi=PSI,
    chi_square=PSI,
    jensen_shannon_distance=PSI,
    ks=PSI,
    missing_ratio=0.0,
    missing_ratio_reference=0.0,
    unseen_ratio=0.0,
    out_of_range_ratio=0.0,
    wasserstein=None,
    mismatches=0,
)
OPEN = EpisodeReport(
    id="e1",
    family="features",
    opened_tick=99,
    onset_tick=90,
    closed_tick=None,
    closed_by=None,
    open=True,
    features=(
        EpisodeFeatureReport(name="wind", confirmed=True, active=True, onset_tick=90, joined_tick=99, closed_tick=None),
    ),
)
PROFILE = ProfileInfo(hash="aa", model="delays", version="7", created="", rows=1, features=1, excluded=(), warnings=())
REPORT = Report(
    made_at=NOON,
    started_at=NOON,
    state="watching",
    profile=PROFILE,
    ticks=TickStatus(tick_seconds=60.0),
    features=(FeatureReport(name="wind", side="input", family="features", effects=EFFECTS),),
    episodes=(OPEN,),
)


def situation_of(report: Report = REPORT, mode: str = "act", webhook: str = "") -> Situation:
    return build_situation(report, parse((DOCUMENT % (mode, webhook)).encode(), "test"), IntentLedger(), NOON)


def mode_of(situation: Situation) -> str:
    assert situation.retrain is not None
    return situation.retrain.mode


def test_the_subject_is_from_the_report_else_the_profile_else_the_document() -> None:
    named = msgspec.structs.replace(REPORT, model="other", version="8")
    nameless = msgspec.structs.replace(REPORT, profile=msgspec.structs.replace(PROFILE, model=""))
    assert situation_of(named).subject == Subject("other", "8", "aa", "delays")
    assert situation_of().subject == Subject("delays", "7", "aa", "delays")
    assert situation_of(nameless).subject == Subject("delays", "7", "aa", "delays")
    assert situation_of(msgspec.structs.replace(REPORT, profile=None)).subject == Subject("delays", "", "", "delays")


@pytest.mark.parametrize(
    ("webhook", "expected"),
    [("", ""), (", secretFile: s", ""), (", secretRef: {name: s}", "secret_ref")],
)
def test_rules_come_from_the_document(webhook: str, expected: str) -> None:
    assert situation_of(webhook=webhook).retrain == RetrainRules(
        mode="act", causes=("drift",), cooldown=7200.0, target=TARGET, blocked_reason=expected
    )


@pytest.mark.parametrize("mode", ["observe", "recommend", "act"])
def test_the_mode_of_the_block_overrides_the_common_mode(mode: str) -> None:
    assert mode_of(situation_of(mode=mode)) == mode
    assert mode_of(situation_of(mode="recommend", webhook=f"}}\n    mode: {mode} # {{")) == mode


def test_an_open_episode_becomes_an_event_with_its_features_and_effects() -> None:
    (intent,) = wanted_intents(situation_of())
    data = json.loads(str(intent.desired))["data"]
    assert (data["episode"], data["openedAt"]) == ("e1", "1970-01-01T01:40:00Z")
    (feature,) = data["detail"]["features"]
    assert (feature["name"], feature["effects"]["psi"]["value"]) == ("wind", 0.5)
    assert data["detail"]["onset_tick"] == 90


def test_an_episode_of_performance_needs_its_cause_in_the_document_and_includes_the_losses() -> None:
    loss = msgspec.structs.replace(OPEN, id="e2", family="performance")
    realized = LossEstimate(value=0.4, low=0.3, high=0.5, rows=200)
    losses = Performance(
        task="classification", loss="x", label="y", prediction="p", score=None, reference=0.1, realized=realized
    )
    report = msgspec.structs.replace(REPORT, episodes=(loss,), performance=losses)
    assert wanted_intents(situation_of(report)) == ()
    (intent,) = wanted_intents(situation_of(report, webhook="}\n    causes: [drift, performance] # {"))
    data = json.loads(str(intent.desired))["data"]
    assert (data["cause"], data["family"]) == ("performance", "performance")
    losses = data["detail"]["performance"]
    assert (losses["reference"], losses["realized"]["value"], losses["realized"]["rows"]) == (0.1, 0.4, 200)
    (intent,) = wanted_intents(situation_of(webhook="}\n    causes: [performance, drift] # {"))
    assert intent.why == "drift"


def test_an_episode_of_drift_gives_no_intent_if_only_performance_is_listed() -> None:
    assert wanted_intents(situation_of(webhook="}\n    causes: [performance] # {")) == ()


def test_a_closed_episode_gives_no_intent_and_has_its_end() -> None:
    closed = msgspec.structs.replace(OPEN, open=False, closed_by="person", closed_tick=120)
    situation = situation_of(msgspec.structs.replace(REPORT, episodes=(closed,)))
    assert wanted_intents(situation) == ()
    assert situation.episodes.value[0].closed_by == "person"
