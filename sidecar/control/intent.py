"""What a policy wants: the one value that travels from the policy over the guard and the ledger to the executor.

There are two natures of intent. Both pass through the same guard, ledger and loop.

ONCE   once per cause (a retraining). The id follows from the cause alone. The intent is applied at least once, always
       under this id. A newer intent never replaces it; it ends with its cause.
LEVEL  desired against observed (replicas, resources). The newest intent for a key replaces the older one. Nothing is
       done where the desired value equals the observed one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from .ledger import LedgerEntry, Nature
from .situation import Fact, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One wish of a policy, whatever may forbid it.

    `key` identifies the cause (ONCE) or the governed object (LEVEL) within its kind. `desired` and `observed` are JSON
    values; only the executor of the kind interprets them. `observed_at` is the epoch second of the observation behind
    the intent. `why` is the reason that metrics and people see; it stands in `reasons.Reason`.
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


def once(kind: str, subject: Subject, key: str, *, desired: object, at: float, why: str) -> Intent:
    """Return the intent for the cause `key`, seen in an observation made `at` an epoch second."""
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


def level(kind: str, subject: Subject, key: str, *, desired: object, observed: Fact[object], why: str) -> Intent:
    """Return the intent to bring the object `key` from the observed to the desired value.

    The id follows from the wish and the observation behind it, so that each decision has an id of its own.
    """
    wish = msgspec.json.encode(desired).decode()
    return Intent(
        id=_digest(kind, subject.model, key, wish, repr(observed.at)),
        kind=kind,
        nature=Nature.LEVEL,
        subject=subject,
        key=key,
        desired=desired,
        observed=observed.value,
        observed_at=observed.at,
        why=why,
    )


def id_of_cause(kind: str, subject: Subject, key: str) -> str:
    """Return the id of everything that is sent for one cause, such as the CloudEvents id and the Idempotency-Key."""
    return _digest(kind, subject.model, subject.version, subject.profile_hash, key)


def intent_of(entry: LedgerEntry) -> Intent:
    """Return the intent that `entry` records, for the executor: the same on each attempt, also after a restart."""
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
    )


def _digest(kind: str, *parts: str) -> str:
    return f"{kind}-{hashlib.sha256(chr(0).join((kind, *parts)).encode()).hexdigest()[:32]}"
