"""Intents: the values that policies create, the guard checks, the ledger records and executors apply.

There are two natures of intent. Both pass through the same guard, ledger and loop.

ONCE   once per cause (a retraining). The id is a hash of the cause. The intent is applied at least once, always
       under this id. A newer intent never replaces it; it ends with its cause.
LEVEL  desired against observed value (replicas, resources). The newest intent for a key replaces the older one. Nothing
       is done if the desired value equals the observed one.

Ids must not change between versions: a receiver uses them to recognise repeated deliveries.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from .ledger import LedgerEntry, Nature, lane_of
from .situation import Fact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One action that a policy wants, before the guard has checked it.

    `key` identifies the cause (ONCE) or the controlled object (LEVEL) within its kind. `desired` and `observed` are
    JSON values; only the executor of the kind interprets them. `observed_at` is the epoch second of the observation
    behind the intent. `why` is the reason in metrics and in the report, a value of `reasons.Reason`. `receiver`
    identifies one of several receivers of the kind. `text` says why in words.
    """

    id: str
    kind: str
    nature: Nature
    subject: Subject
    key: str
    desired: object
    observed: object
    observed_at: float
    why: str
    receiver: str = ""
    text: str = ""

    @property
    def lane(self) -> str:
        """Kind and receiver; see `ledger.lane_of`."""
        return lane_of(self.kind, self.receiver)


def once(kind: str, subject: Subject, key: str, *, desired: object, at: float, why: str) -> Intent:
    """Return an intent of nature ONCE for the cause `key`, observed at the epoch second `at`."""
    return Intent(
        id=id_of_cause(kind, subject, key),
        kind=kind,
        nature=Nature.ONCE,
        subject=subject,
        key=key,
        desired=desired,
        observed=None,
        observed_at=at,
        why=why,
    )


def level(
    kind: str, subject: Subject, key: str, *, desired: object, observed: Fact[object], why: str, text: str = ""
) -> Intent:
    """Return an intent of nature LEVEL to bring the object `key` from the observed to the desired value.

    The id is a hash of the desired value and the time of the observation, so each decision has its own id.
    """
    desired_json = msgspec.json.encode(desired).decode()
    return Intent(
        id=_digest(kind, subject, subject.model, key, desired_json, repr(observed.at)),
        kind=kind,
        nature=Nature.LEVEL,
        subject=subject,
        key=key,
        desired=desired,
        observed=observed.value,
        observed_at=observed.at,
        why=why,
        text=text,
    )


def id_of_cause(kind: str, subject: Subject, key: str) -> str:
    """Return the id for one cause. It is also the CloudEvents id and the Idempotency-Key of its request."""
    return _digest(kind, subject, subject.model, subject.version, subject.profile_hash, key)


def id_of_event(kind: str, subject: Subject, receiver: str, key: str, event: str) -> str:
    """Return the id of one event about the cause `key` for one receiver, whatever profile is in force."""
    return _digest(kind, subject, subject.monitor, receiver, key, event)


def intent_of(entry: LedgerEntry) -> Intent:
    """Return the intent that `entry` records; the same for each attempt, also after a restart."""
    return Intent(
        id=entry.id,
        kind=entry.kind,
        nature=entry.nature,
        subject=Subject(entry.model, entry.version, entry.profile_hash),
        key=entry.key,
        desired=entry.desired,
        observed=entry.observed,
        observed_at=entry.observed_at,
        why=entry.why,
        receiver=entry.receiver,
        text=entry.text,
    )


def _digest(kind: str, subject: Subject, *parts: str) -> str:
    """Return an id of the kind. In a cluster, it depends on the monitor's UID, as names repeat across namespaces."""
    owner = (subject.uid,) if subject.uid else ()
    return f"{kind}-{hashlib.sha256(chr(0).join((kind, *owner, *parts)).encode()).hexdigest()[:32]}"
