"""What the control loop knows at one moment: plain values, so that every decision is a function of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .ledger import Ledger

OBSERVE, RECOMMEND, ACT = "observe", "recommend", "act"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose traffic it is: a model, its version, and the hash of the profile that it is compared with."""

    model: str
    version: str
    profile_hash: str


@dataclass(frozen=True, slots=True)
class Episode:
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


@dataclass(frozen=True, slots=True)
class RetrainRules:
    """The document's block `retrain`: causes that ask for one, seconds between two.

    `target` tells one receiver from another; `obstacle` says in one word why the webhook cannot be used where this
    runs, and is empty when it can.
    """

    on: tuple[str, ...]
    cooldown: float
    target: str = ""
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision may depend on; `now` is in epoch seconds. Without a profile there is no subject."""

    now: float
    mode: str
    subject: Subject | None
    episodes: tuple[Episode, ...]
    ledger: Ledger
    retrain: RetrainRules | None = None
