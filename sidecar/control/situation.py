"""The situation: all input of the control loop's decisions at one moment, as plain values.

`observe` builds it; policies and guard are functions of it. Add to it whatever a decision depends on, so that no
decision reads a file, a clock or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from .ledger import IntentLedger, lane_of

OBSERVE, RECOMMEND, ACT = "observe", "recommend", "act"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value, and the time `at` which it was observed, in epoch seconds by the loop's clock."""

    value: T
    at: float


@dataclass(frozen=True, slots=True)
class Subject:
    """The monitored model: its name, its version, and the hash of the profile in force; empty without one.

    `monitor` is the name of the document. In a cluster, `namespace` and `uid` identify the ModelMonitor. They are empty
    elsewhere.
    """

    model: str
    version: str
    profile_hash: str
    monitor: str = ""
    namespace: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """One episode of the report.

    `opened_at` is in epoch seconds. `closed_by` is empty while the episode is open, else `recovery`, `profile`,
    `person` or `restart`, and `closed_at` in epoch seconds is its end. `detail` holds JSON values for the receiver:
    features, effect sizes, onset. `summary` says in words what changed.
    """

    id: str
    cause: str
    family: str
    opened_at: float
    closed_by: str = ""
    detail: Mapping[str, object] = field(default_factory=dict, compare=False)
    closed_at: float = 0.0
    summary: str = ""


@dataclass(frozen=True, slots=True)
class RetrainingFacts:
    """The object of the retraining `id`: its state, a message, and the reason if its state does not give it."""

    id: str
    state: str
    detail: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindFacts:
    """One reason for which traffic may not be measured.

    `since` is when it began or ended, in epoch seconds. `seconds` is the time since then, and `total_seconds` for how
    long nothing at all has been measured, both by a clock that never jumps. `text` is empty while `active` is False.
    """

    reason: str
    active: bool
    since: float
    seconds: float
    total_seconds: float = 0.0
    total: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The document's rules for one kind of intent, as the guard reads them.

    `cooldown` is the minimum number of seconds between two effects. `max_age` is the maximum age, in seconds, of an
    observation that may be acted on. `target` is a hash of the receiver's address: an intent that failed permanently at
    one target is tried again at another. `blocked_reason` is why the executor cannot be used now, else empty, and
    `blocked_detail` says in words what to do. `max_pending` is the number of pending entries from which on new ones are
    refused, `max_per_hour` the number of effects in an hour: of one object, or with `counts_lane` of all objects of the
    lane. `events` lists the reasons `why` that are accepted; None
    accepts all. `recommended_reason` is why an intent is only recommended, if not
    because of the mode.
    """

    mode: str
    cooldown: float = 0.0
    max_age: float = inf
    target: str = ""
    blocked_reason: str = ""
    blocked_detail: str = ""
    max_pending: float = inf
    max_per_hour: float = inf
    counts_lane: bool = False
    events: frozenset[str] | None = None
    recommended_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyRules(Rules):
    """The rules of one receiver of notifications. `blind_for` is in seconds."""

    receiver: str
    blind_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRules(Rules):
    """The rules of the block `retrain`; `causes` lists those that request a retraining.

    `max_age` stays infinite, because an episode remains open until the report closes it.
    """

    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSituation:
    """The replicas of the target `key`, how many are wanted, and the rules; `scale.guard` derives it.

    `replicas` is None before the target was read. `why` and `text` say why `desired` is wanted.
    """

    key: str
    replicas: Fact[int] | None
    desired: int
    why: str
    text: str
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeChange:
    """One change of the resources of a container; `resize.guard` decides on it.

    `key` is the object: `Pod/NAMESPACE/NAME/UID/CONTAINER`, or `KIND/NAMESPACE/NAME/CONTAINER` with the method
    `rollout`. `observed` and `desired` are `{"requests": {...}, "limits": {...}}` with quantities as text. `why` and
    `text` say why it is wanted.
    """

    key: str
    observed: Fact[object]
    desired: object
    why: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeSituation:
    """The resources of a target: the change that is wanted now, None without one, and the rules."""

    change: ResizeChange | None
    rules: Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a decision may depend on. `now` is in epoch seconds.

    `in_flight` holds the ids of the entries that an executor is applying now. They are neither superseded nor due until
    their outcome is recorded. `alerts` are alerts of Alertmanager, as causes of their own. `retrainings` is None where
    nothing observes what becomes of a retraining. `scale` is None without the block `scaling`, and `resize` without the
    block `resources`.
    """

    now: float
    subject: Subject
    episodes: Fact[tuple[EpisodeFacts, ...]]
    ledger: IntentLedger
    retrain: RetrainRules | None = None
    blind: Fact[tuple[BlindFacts, ...]] = Fact((), 0.0)
    notify: tuple[NotifyRules, ...] = ()
    in_flight: frozenset[str] = frozenset()
    alerts: tuple[EpisodeFacts, ...] = ()
    retrainings: tuple[RetrainingFacts, ...] | None = None
    tick_seconds: float = 60.0
    scale: ScaleSituation | None = None
    resize: ResizeSituation | None = None

    @property
    def causes(self) -> tuple[EpisodeFacts, ...]:
        """Everything that may request a retraining, open or closed."""
        return (*self.episodes.value, *self.alerts)

    @property
    def rules(self) -> Mapping[str, Rules | None]:
        """The rules by lane, alphabetically; None if the document lacks the block of the kind."""
        notify = {lane_of("notify", rules.receiver): rules for rules in self.notify}
        return {
            **notify,
            "resize": self.resize.rules if self.resize is not None else None,
            "retrain": self.retrain,
            "scale": self.scale.rules if self.scale is not None else None,
        }
