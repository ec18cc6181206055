"""The samples in the docs are what the program prints: events and sentences of one run of docs/examples/fastapi."""

from __future__ import annotations

import json
import logging
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from pilotfish.sidecar import log
from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.notify import slack, words
from pilotfish.sidecar.control.notify.policy import wanted_intents as notifications
from pilotfish.sidecar.control.observe import build_situation
from pilotfish.sidecar.control.retrain.policy import wanted_intents as retrainings
from pilotfish.sidecar.control.situation import BlindFacts
from pilotfish.sidecar.control.webhook.delivery import certificate_problem, redirect_problem
from pilotfish.sidecar.report.announcements import report_lines
from pilotfish.sidecar.report.schema import (
    ChangeReport,
    EpisodeFeatureReport,
    EpisodeReport,
    FeatureReport,
    ProfileInfo,
    Report,
    ScoreReport,
    TickStatus,
)
from pilotfish.sidecar.settings.load import parse
from tests.control.test_observe import EFFECTS

DOCS = Path(__file__).resolve().parents[2] / "docs"
HASH = "9d17b871311bc8d387a52e5590970ca925638a32f3a4d7cf2cab33dacfc3f885"
EPISODE, ONSET, TICK = "9d17b871311b-features-179591782", 179591782, 10.0
DOCUMENT = b"""
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: loans}
spec:
  model: {name: loans, version: "1"}
  retrain: {webhook: {url: "http://127.0.0.1:9911/retrain"}}
  notify: [{name: on-call, webhook: {url: "http://127.0.0.1:9911/generic"}}]
"""
CHANGE = ChangeReport(measure="mean", of="", before=42.435, after=57.98972823445938, sd=1.3374121197109434)
PSI = ScoreReport(2.2137809596958333, 1.5396570771279423, 2.7206857996502563)
AGE = FeatureReport(
    name="age",
    side="input",
    family="features",
    evidence_ratio=1e9,
    effects=msgspec.structs.replace(EFFECTS, rows=1500, psi=PSI, change=CHANGE),
)
FEATURE = EpisodeFeatureReport(
    name="age", confirmed=True, active=True, onset_tick=ONSET, joined_tick=ONSET, closed_tick=None
)
OPEN = EpisodeReport(
    id=EPISODE, family="features", opened_tick=ONSET, onset_tick=ONSET, closed_tick=None, closed_by=None, open=True,
    features=(FEATURE,),
)  # fmt: skip
REPORT = Report(
    made_at=ONSET * TICK,
    started_at=0.0,
    state="watching",
    model="loans",
    version="1",
    profile=ProfileInfo(
        hash=HASH, model="loans", version="1", created="", rows=1000, features=6, excluded=(), warnings=()
    ),
    ticks=TickStatus(tick_seconds=TICK, open=(), last_closed=ONSET, closed_total=2, late_rows=0),
    features=(AGE,),
    episodes=(OPEN,),
)
SITUATION = build_situation(REPORT, parse(DOCUMENT, "monitor.yaml"), IntentLedger(), ONSET * TICK)


def blocks(page: str, kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [body for name, body in found if name == kind]


def shown(sample: Any, event: Any) -> bool:
    """Return whether a sample is a part of the event; `...` stands for the rest of a text."""
    if isinstance(sample, dict):
        return isinstance(event, dict) and all(shown(value, event.get(key)) for key, value in sample.items())
    if isinstance(sample, list):
        return isinstance(event, list) and all(map(shown, sample, event)) and len(sample) == len(event)
    if isinstance(sample, str) and sample.endswith("..."):
        return isinstance(event, str) and event.startswith(sample.removesuffix("...").rstrip())
    return bool(sample == event)


def test_the_event_of_a_retraining() -> None:
    (sample,) = blocks("retraining.md", "json")
    (intent,) = retrainings(SITUATION)
    assert shown(json.loads(sample), json.loads(str(intent.desired)))
    assert f"Idempotency-Key: {intent.id}\n" in (DOCS / "retraining.md").read_text()


def test_the_event_and_the_sentences_of_notifications() -> None:
    (sample,) = blocks("notifications.md", "json")
    (intent,) = notifications(SITUATION)
    event = json.loads(str(intent.desired))
    assert shown(json.loads(sample), event)
    subject, (episode,) = SITUATION.subject, SITUATION.episodes.value
    ended = replace(episode, closed_by="recovery", closed_at=episode.opened_at + 3 * 3600)
    spot = BlindFacts(reason="no_proxy", active=True, since=0.0, seconds=60.0, total=True, text="no counter page")
    texts = [
        event["data"]["text"],
        words.alarm_closed(subject, ended),
        words.blind(subject, spot, total=True),
        words.blind_ended(subject, "no_proxy", 300.0),
    ]
    said = [json.loads(slack.message(json.dumps({"data": {"text": text}})).body)["text"] for text in texts]
    assert next(iter(blocks("notifications.md", ""))).splitlines() == said


def test_the_line_of_an_alarm_in_the_log() -> None:
    (block,) = (block for block in blocks("logging.md", "") if "ALARM" in block)
    quiet = msgspec.structs.replace(REPORT, episodes=())
    ((level, text),) = report_lines(quiet, REPORT)
    record = logging.LogRecord("pilotfish.analyzer", level, "", 0, text, (), None)
    record.created, record.msecs = 1795917832.522, 522.0
    assert log.TextFormatter().format(record) == block.splitlines()[1]


def test_the_lines_about_a_receiver_in_the_log() -> None:
    expired = ssl.SSLCertVerificationError("expired")
    expired.verify_code, expired.verify_message = 10, "certificate has expired"
    (block,) = (block for block in blocks("retraining.md", "") if "redirects" in block)
    problems = (certificate_problem(expired), redirect_problem(308))
    assert block.splitlines() == [f"spec.retrain.webhook: {problem}" for problem in problems]
