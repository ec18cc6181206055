"""The policy of retraining: one intent for each open episode with a cause that the document lists.

The event is part of the intent, so that a repeated attempt sends the same bytes.
"""

from __future__ import annotations

from dataclasses import replace

from ...report.schema import RESTART
from ..intent import Intent, id_of_cause, once
from ..ledger import LedgerEntry
from ..policy import Policy
from ..reasons import Reason
from ..situation import EpisodeFacts, Situation, Subject
from .alerts import ALERT
from .event import render
from .outcome import followed_changes
from .record import RETRAIN

KIND = RETRAIN


def wanted_intents(situation: Situation) -> tuple[Intent, ...]:
    """Return a retraining intent for each open episode or alert with a cause in `retrain.causes`, the oldest first.

    Without a profile there is no evidence of drift, and no intent.
    """
    if situation.retrain is None or not situation.subject.profile_hash:
        return ()
    causes = situation.retrain.causes
    found = [episode for episode in situation.causes if not episode.closed_by and episode.cause in causes]
    found.sort(key=lambda episode: (episode.opened_at, episode.id))
    return tuple(_intent(situation.subject, episode, situation) for episode in found)


def ended(entry: LedgerEntry, situation: Situation) -> str:
    """Return why the cause of the pending `entry` has ended, or an empty string.

    A cause ends with its episode or alert, or when another profile comes into force. An episode that the report does
    not list, or that a restart closed, was lost with a checkpoint: its retraining is still delivered.
    """
    profile_hash = situation.subject.profile_hash
    if profile_hash and entry.profile_hash != profile_hash:
        return Reason.PROFILE
    ends = {episode.id: episode.closed_by for episode in situation.causes if episode.closed_by != RESTART}
    return ends.get(entry.key, "")


def _intent(subject: Subject, episode: EpisodeFacts, situation: Situation) -> Intent:
    # an alert names no version or profile: its id must not change with them
    known = replace(subject, version="", profile_hash="") if episode.cause == ALERT else subject
    id_ = id_of_cause(KIND, known, episode.id)
    at = situation.now if episode.cause == ALERT else situation.episodes.at
    made = once(KIND, subject, episode.id, desired=render(id_, subject, episode), at=at, why=episode.cause)
    return replace(made, id=id_)


POLICY = Policy(KIND, wanted_intents, ended, followed_changes)
