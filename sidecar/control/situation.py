"""What the control loop knows at one moment: plain values, so that every decision is a function of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from .ledger import IntentLedger

OBSERVE, RECOMMEND, ACT = "observe", "recommend", "act"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value with the time `at` which it was observed, in epoch seconds of the loop's own clock."""

    value: T
    at: float


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose traffic it is: a model, its version, and the hash of the profile that it is compared with."""

    model: str
    version: str
    profile_hash: str


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """One cause as the Report shows it.

    `opened_at` is in epoch seconds; `closed_by` is empty while it is open, else `recovery`, `profile`, `person` or
    `restart`.
    `detail` is what a receiver should read about it (JSON values): features, effect sizes, onset.
    """

    id: str
    cause: str
    family: str
    opened_at: float
    closed_by: str = ""
    detail: Mapping[str, object] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the document allows for one kind of intent: the part of its block that the guard reads.

    `cooldown` is the least number of seconds between two effects. `max_age` is how old, in seconds, an observation may
    be that is acted on. `target` identifies where the effect goes, without its address: an intent that failed for good
    at one target is tried again at another. `blocked_reason` says why the executor cannot work here.
    """

    mode: str
    cooldown: float = 0.0
    max_age: float = inf
    target: str = ""
    blocked_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRules(Rules):
    """The document's block `retrain`; `on` names the causes that ask for a retraining.

    `max_age` stays infinite: an open episode is a durable fact, which is true until the Report closes it.
    """

    on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a decision may depend on; `now` is in epoch seconds. Without a profile there is no subject.

    `in_flight` holds the ids of the entries that an executor is applying now. Nothing is decided about them until
    their outcome is recorded.
    """

    now: float
    subject: Subject | None
    episodes: Fact[tuple[EpisodeFacts, ...]]
    ledger: IntentLedger
    retrain: RetrainRules | None = None
    in_flight: frozenset[str] = frozenset()

    @property
    def rules(self) -> Mapping[str, Rules | None]:
        """The rules by kind of intent, alphabetically; None where the document has no such block."""
        return {"retrain": self.retrain}
