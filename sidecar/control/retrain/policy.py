"""Which retrainings are wanted, and when the cause of one has ended."""

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
    """Return one intent to retrain for each open episode whose cause the document names, oldest episode first."""
    if situation.retrain is None or situation.subject is None:
        return ()
    causes, episodes = situation.retrain.on, situation.episodes
    found = [episode for episode in episodes.value if not episode.closed_by and episode.cause in causes]
    found.sort(key=lambda episode: (episode.opened_at, episode.id))
    subject = situation.subject
    return tuple(_intent(subject, episode, episodes.at) for episode in found)


def ended(entry: LedgerEntry, situation: Situation) -> str:
    """Return why the cause of the pending `entry` has ended: its episode is over or another profile is in force.

    An episode that the Report does not list, or that a restart ended, says nothing: it was lost with a checkpoint, and
    a retraining that was decided on is delivered.
    """
    subject = situation.subject
    if subject is not None and entry.profile_hash != subject.profile_hash:
        return Reason.PROFILE
    ends = {episode.id: episode.closed_by for episode in situation.episodes.value if episode.closed_by != RESTART}
    return ends.get(entry.key, "")


def _intent(subject: Subject, episode: EpisodeFacts, at: float) -> Intent:
    event = render(id_of_cause(KIND, subject, episode.id), subject, episode)
    return once(KIND, subject, episode.id, desired=event, at=at, why=episode.cause)


POLICY = Policy(KIND, wanted_intents, ended)
