"""The policy of retraining: one intent for each open episode with a cause that the document lists.

The event is part of the intent, so that a repeated attempt sends the same bytes.
"""

from __future__ import annotations

from ...report.schema import RESTART
from ..intent import Intent, id_of_cause, once
from ..ledger import LedgerEntry
from ..policy import Policy
from ..reasons import Reason
from ..situation import EpisodeFacts, Situation, Subject
from .event import render

KIND = "retrain"


def wanted_intents(situation: Situation) -> tuple[Intent, ...]:
    """Return a retraining intent for each open episode with a cause in `retrain.on`, the oldest episode first.

    Without a profile there is no evidence, and no intent.
    """
    if situation.retrain is None or not situation.subject.profile_hash:
        return ()
    causes, episodes = situation.retrain.on, situation.episodes
    found = [episode for episode in episodes.value if not episode.closed_by and episode.cause in causes]
    found.sort(key=lambda episode: (episode.opened_at, episode.id))
    subject = situation.subject
    return tuple(_intent(subject, episode, episodes.at) for episode in found)


def ended(entry: LedgerEntry, situation: Situation) -> str:
    """Return why the cause of the pending `entry` has ended, or an empty string.

    A cause ends with its episode or when another profile comes into force. An episode that the report does not list, or
    that a restart closed, was lost with a checkpoint: its retraining is still delivered.
    """
    profile_hash = situation.subject.profile_hash
    if profile_hash and entry.profile_hash != profile_hash:
        return Reason.PROFILE
    ends = {episode.id: episode.closed_by for episode in situation.episodes.value if episode.closed_by != RESTART}
    return ends.get(entry.key, "")


def _intent(subject: Subject, episode: EpisodeFacts, at: float) -> Intent:
    event = render(id_of_cause(KIND, subject, episode.id), subject, episode)
    return once(KIND, subject, episode.id, desired=event, at=at, why=episode.cause)


POLICY = Policy(KIND, wanted_intents, ended)
