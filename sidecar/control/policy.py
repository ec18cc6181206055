"""What is wanted, whatever may forbid it; and which entries the world has overtaken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..report.schema import RESTART
from .delivery import LONGEST_ASKED
from .ledger import PENDING, SUPERSEDED, Change, Entry
from .situation import ACT, Episode, Situation, Subject

RETRAIN = "retrain"


@dataclass(frozen=True, slots=True)
class Intent:
    """Something to be done about one episode; its id follows from the cause alone."""

    kind: str
    subject: Subject
    episode: Episode

    @property
    def id(self) -> str:
        """Return the id of this cause: the CloudEvents id and the Idempotency-Key of everything sent for it."""
        parts = (self.kind, self.subject.model, self.subject.version, self.subject.profile_hash, self.episode.id)
        return f"{self.kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def wanted(situation: Situation) -> tuple[Intent, ...]:
    """Return one intent to retrain for each open episode whose cause the document names, oldest episode first."""
    if situation.retrain is None or situation.subject is None:
        return ()
    causes = situation.retrain.on
    found = [episode for episode in situation.episodes if not episode.closed_by and episode.cause in causes]
    found.sort(key=lambda episode: (episode.opened_at, episode.id))
    subject = situation.subject
    return tuple(Intent(RETRAIN, subject, episode) for episode in found)


def overtaken(situation: Situation) -> tuple[Change, ...]:
    """Return what supersedes each pending entry whose episode has ended or whose profile is no longer in force.

    An episode that the Report does not list, or that a restart ended, says nothing: it was lost with a checkpoint, and
    a retraining that was decided on is delivered.
    """
    ends = {episode.id: episode.closed_by for episode in situation.episodes if episode.closed_by != RESTART}
    changes = []
    for entry in pending(situation):
        subject = situation.subject
        foreign = subject is not None and entry.profile_hash != subject.profile_hash
        reason = "profile" if foreign else ends.get(entry.episode, "")
        if reason:
            changes.append(
                Change(id=entry.id, at=situation.now, state=SUPERSEDED, reason=reason, attempts=entry.attempts)
            )
    return tuple(changes)


def due(situation: Situation) -> tuple[Entry, ...]:
    """Return the pending entries whose time has come, oldest first; none while the mode or the document holds them.

    No retry is planned further ahead than `LONGEST_ASKED`: one that seems to be shows that the clock was set back.
    """
    if situation.mode != ACT or situation.retrain is None or situation.retrain.obstacle:
        return ()
    return tuple(entry for entry in pending(situation) if not 0 < entry.next_at - situation.now <= LONGEST_ASKED)


def pending(situation: Situation) -> list[Entry]:
    """Return the entries still to be delivered, oldest first."""
    found = [entry for entry in situation.ledger.entries.values() if entry.state == PENDING]
    return sorted(found, key=lambda entry: (entry.decided_at, entry.id))
