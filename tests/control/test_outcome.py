"""What became of a retraining: the state of its object, and whether the new version ended the drift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pilotfish.sidecar.control.guard import check_intent
from pilotfish.sidecar.control.ledger import DELIVERED, IntentLedger, LedgerEntry, PutEntry, RetrainingRecord
from pilotfish.sidecar.control.observe import build_situation
from pilotfish.sidecar.control.retrain.outcome import TRIAL_TICKS, followed_changes, refused_by
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from pilotfish.sidecar.control.situation import EpisodeFacts, RetrainingFacts, Situation
from pilotfish.sidecar.settings.load import parse
from tests.control.retraining import MEMBER
from tests.control.situations import HOUR, NOON, RULES, entry, episode, situation
from tests.control.test_observe import DOCUMENT, REPORT

TRIAL = TRIAL_TICKS * 60.0
NEWER = replace(MEMBER, version="8", profile_hash="bb" * 32)
JOB = RetrainingRecord(kind="Job", name="j", state="running", at=NOON)


class History:
    """A ledger with one delivered retraining, and the situations that follow."""

    def __init__(self, record: RetrainingRecord | None = JOB) -> None:
        first = msgspec.structs.replace(entry(state=DELIVERED), retraining=record)
        self.ledger = IntentLedger().apply([PutEntry(first)])

    def see(
        self, *episodes: EpisodeFacts, now: float = NOON, facts: RetrainingFacts | None = None, **fields: Any
    ) -> None:
        """Apply the changes that a situation leads to; a second look changes nothing."""
        for _ in range(2):
            changes = followed_changes(self.situation(*episodes, now=now, facts=facts, **fields))
            self.ledger = self.ledger.apply(changes)
        assert list(changes) == []

    def situation(
        self, *episodes: EpisodeFacts, now: float = NOON, facts: RetrainingFacts | None = None, **fields: Any
    ) -> Situation:
        given: dict[str, Any] = {"subject": MEMBER, "rules": replace(RULES, cooldown=0.0)} | fields
        made = situation(*episodes, now=now, **given)
        return replace(made, ledger=self.ledger, retrainings=(facts,) if facts else ())

    @property
    def entry(self) -> LedgerEntry:
        return next(iter(self.ledger.entries.values()))

    @property
    def record(self) -> RetrainingRecord:
        assert self.entry.retraining is not None
        return self.entry.retraining

    @property
    def shown(self) -> tuple[str, str]:
        return self.record.state, self.record.reason


def test_a_job_that_runs_and_succeeds_waits_for_its_version() -> None:
    history = History()
    history.see(episode(), facts=RetrainingFacts("i1", "running"))
    assert history.shown == ("running", "")
    history.see(episode(), facts=RetrainingFacts("i1", "succeeded"))
    assert history.shown == ("succeeded", "retraining_requested")
    history.see(episode(), now=NOON + 9 * HOUR)
    assert history.shown == ("succeeded", "retraining_requested")


def test_a_failed_job_has_its_message_and_a_later_version_is_still_judged() -> None:
    history = History()
    history.see(episode(), facts=RetrainingFacts("i1", "failed", "no data"))
    assert (*history.shown, history.record.detail) == ("failed", "retraining_failed", "no data")
    history.see(now=NOON + HOUR, subject=NEWER)
    history.see(now=NOON + HOUR + TRIAL, subject=NEWER)
    assert (*history.shown, history.record.detail) == ("succeeded", "retraining_succeeded", "")


def test_an_object_that_was_deleted_is_a_failure_with_its_reason() -> None:
    history = History()
    history.see(episode(), facts=RetrainingFacts("i1", "failed", "gone", "retraining_gone"))
    assert history.shown == ("failed", "retraining_gone")


@pytest.mark.parametrize("by", ["recovery", "person", "resolved"])
def test_an_episode_that_ends_without_a_new_version_ends_the_retraining(by: str) -> None:
    history = History()
    history.see(episode(), facts=RetrainingFacts("i1", "succeeded"))
    history.see(episode(closed_by=by))
    assert history.shown == ("succeeded", by)


def test_a_running_job_is_followed_even_if_its_episode_has_ended() -> None:
    history = History()
    history.see(episode(closed_by="recovery"))
    assert history.shown == ("running", "")
    history.see(episode(closed_by="recovery"), facts=RetrainingFacts("i1", "failed", "no data"))
    assert history.shown == ("failed", "recovery")


@pytest.mark.parametrize("record", [JOB, None], ids=["job", "webhook"])
def test_a_new_version_without_an_episode_shows_that_the_retraining_helped(record: RetrainingRecord | None) -> None:
    history = History(record)
    history.see(now=NOON + HOUR, subject=NEWER)
    history.see(now=NOON + HOUR + TRIAL - 1, subject=NEWER)
    assert history.record.reason != "retraining_succeeded"
    history.see(now=NOON + HOUR + TRIAL, subject=NEWER)
    assert history.shown == ("succeeded", "retraining_succeeded")
    history.see(episode("e2"), now=NOON + 99 * HOUR, subject=NEWER)
    assert history.shown == ("succeeded", "retraining_succeeded")


def test_a_new_version_with_an_open_episode_shows_that_it_did_not_and_none_is_requested_until_it_ends() -> None:
    history = History(None)
    again = episode("e2", at=NOON + 2 * HOUR)
    history.see(now=NOON + HOUR, subject=NEWER)
    history.see(again, now=NOON + HOUR + TRIAL, subject=NEWER)
    assert history.shown == ("requested", "no_improvement")
    assert "version 8 has run for 60 ticks, and episode e2 is open: age rose" in history.record.detail
    assert refused_by(history.situation(again, subject=NEWER)) == "no_improvement"
    assert refused_by(history.situation(episode("e2", closed_by="person"), subject=NEWER)) == ""
    assert refused_by(history.situation(episode("e3"), subject=NEWER)) == ""


def test_the_refusal_is_a_decision_of_the_guard() -> None:
    history = History(None)
    open_id = REPORT.episodes[0].id
    history.see(now=NOON, subject=NEWER)
    history.see(episode(open_id), now=NOON + TRIAL, subject=NEWER)
    monitor = parse((DOCUMENT % ("act", "")).encode(), "test")
    found = build_situation(REPORT, monitor, history.ledger, NOON + 99 * HOUR, retrainings=())
    (intent,) = wanted_intents(found)
    decision = check_intent(intent, found)
    assert decision is not None
    assert (decision.state, decision.reason) == ("refused", "no_improvement")


def test_a_rollback_ends_the_trial() -> None:
    history = History(None)
    history.see(now=NOON, subject=NEWER)
    history.see(episode(), now=NOON + HOUR)
    history.see(now=NOON + 2 * HOUR, subject=NEWER)
    history.see(now=NOON + TRIAL + HOUR, subject=NEWER)
    assert history.shown == ("requested", "retraining_requested")
    history.see(now=NOON + TRIAL + 2 * HOUR, subject=NEWER)
    assert history.shown == ("succeeded", "retraining_succeeded")


def test_an_episode_of_another_cause_says_nothing_about_the_retraining() -> None:
    history = History(None)
    history.see(now=NOON, subject=NEWER)
    history.see(episode("e2", cause="performance"), now=NOON + TRIAL, subject=NEWER)
    assert history.shown == ("succeeded", "retraining_succeeded")


def test_a_later_retraining_replaces_an_earlier_one() -> None:
    history = History(None)
    history.ledger = history.ledger.apply([PutEntry(entry("i2", state=DELIVERED, episode="e2"))])
    history.see(episode("e2"))
    assert history.shown == ("requested", "replaced")


def test_where_nothing_observes_retrainings_nothing_changes() -> None:
    history = History(None)
    assert followed_changes(replace(history.situation(episode(closed_by="recovery")), retrainings=None)) == ()
