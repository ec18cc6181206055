"""What became of a retraining: the state of its object, and whether its new version ended the drift. Pure.

    object of the API server --> RetrainingFacts    watcher.py
    RetrainingFacts, episodes, version in force, ledger --> changes of the entry's RetrainingRecord

A retraining has helped if no episode of its cause is open after the new version has run for TRIAL_TICKS. All that a
decision depends on is in the ledger or comes from the API server, so a new leader comes to the same result.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ...report.schema import RESTART
from ..ledger import DELIVERED, ChangeEntry, LedgerEntry, RetrainingRecord
from ..reasons import Reason
from ..situation import EpisodeFacts, Situation
from .record import FAILED, REQUESTED, RETRAIN, RUNNING, SUCCEEDED

TRIAL_TICKS = 60  # of the new version, before it is judged
WEBHOOK = "webhook"
ENDS = frozenset(
    (
        Reason.NO_IMPROVEMENT,
        Reason.PERSON,
        Reason.RECOVERY,
        Reason.REPLACED,
        Reason.RESOLVED,
        Reason.RETRAINING_SUCCEEDED,
    )
)


def followed_changes(situation: Situation) -> Sequence[ChangeEntry]:
    """Return the changes of the records of delivered retrainings; none where nothing observes them."""
    if situation.retrainings is None:
        return ()
    delivered = [
        entry for entry in situation.ledger.entries.values() if (entry.kind, entry.state) == (RETRAIN, DELIVERED)
    ]
    changes = []
    for entry in delivered:
        before = record_of(entry)
        record = _observed(before, entry, situation)
        if record.reason not in ENDS:
            record = _judged(record, entry, situation, newest=entry is delivered[-1])
        if record != entry.retraining:
            changes.append(_change(entry, record, situation.now))
    return changes


def record_of(entry: LedgerEntry) -> RetrainingRecord:
    """Return the record of a delivered entry. A receiver's work cannot be observed, so its state stays `requested`."""
    if entry.retraining is not None:
        return entry.retraining
    return RetrainingRecord(kind=WEBHOOK, state=REQUESTED, reason=Reason.RETRAINING_REQUESTED, at=entry.changed_at)


def refused_by(situation: Situation) -> str:
    """Return why no further retraining is requested: the last one did not help, and this still shows; else empty."""
    return (
        Reason.NO_IMPROVEMENT
        if any(
            entry.retraining is not None
            and entry.retraining.reason == Reason.NO_IMPROVEMENT
            and any(episode.id == entry.retraining.episode for episode in _open(situation))
            for entry in situation.ledger.entries.values()
            if entry.kind == RETRAIN
        )
        else ""
    )


def _observed(record: RetrainingRecord, entry: LedgerEntry, situation: Situation) -> RetrainingRecord:
    """Return the record with the state of its object, as long as the object has not ended."""
    facts = situation.retrainings or ()
    found = next((fact for fact in facts if fact.id == entry.id), None)
    if record.state != RUNNING or found is None or found.state == RUNNING:
        return record
    reason = found.reason or (Reason.RETRAINING_FAILED if found.state == FAILED else Reason.RETRAINING_REQUESTED)
    return replace(record, state=found.state, reason=reason, detail=found.detail, at=situation.now)


def _judged(record: RetrainingRecord, entry: LedgerEntry, situation: Situation, *, newest: bool) -> RetrainingRecord:
    """Return the record with the verdict on the retraining, if there is one."""
    if not newest:
        return replace(record, reason=Reason.REPLACED) if record.state != RUNNING else record
    closed_by = next((episode.closed_by for episode in _causes(situation) if episode.id == entry.key), "")
    subject, seen = situation.subject, situation.episodes.at
    if not subject.profile_hash or (subject.version, subject.profile_hash) == (entry.version, entry.profile_hash):
        ended = closed_by in ENDS and record.state != RUNNING
        return replace(record, reason=closed_by, trial_at=0.0) if ended else _untried(record)
    if not record.trial_at:
        return replace(record, trial_at=seen)
    if seen - record.trial_at < TRIAL_TICKS * situation.tick_seconds:
        return record
    still = next((episode for episode in _open(situation) if episode.cause == entry.why), None)
    if still is None:
        return replace(record, state=SUCCEEDED, reason=Reason.RETRAINING_SUCCEEDED, detail="", at=situation.now)
    return replace(record, reason=Reason.NO_IMPROVEMENT, detail=_words(still, situation), episode=still.id)


def _untried(record: RetrainingRecord) -> RetrainingRecord:
    return replace(record, trial_at=0.0) if record.trial_at else record


def _causes(situation: Situation) -> tuple[EpisodeFacts, ...]:
    return tuple(episode for episode in situation.causes if episode.closed_by != RESTART)


def _open(situation: Situation) -> tuple[EpisodeFacts, ...]:
    return tuple(episode for episode in situation.causes if not episode.closed_by)


def _words(still: EpisodeFacts, situation: Situation) -> str:
    subject = situation.subject
    what = f": {still.summary}" if still.summary else ""
    return (
        f"version {subject.version or 'without a name'} has run for {TRIAL_TICKS} ticks, and episode {still.id} is "
        f"open{what}; check that the retraining used data from after the onset, and the sources of the features"
    )


def _change(entry: LedgerEntry, record: RetrainingRecord, now: float) -> ChangeEntry:
    return ChangeEntry(
        id=entry.id, at=now, state=entry.state, reason=entry.reason, attempts=entry.attempts, retraining=record
    )
