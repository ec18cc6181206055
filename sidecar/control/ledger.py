"""The intent ledger: one entry per intent, and a count of each outcome.

The ledger is a value and the result of a sequence of operations. The outbox stores the operations, so field names and
tags of the structs below are a file format. Change them only together with a reader of the old format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

# the states of an entry, and the outcome that is counted when an entry reaches the state
RECOMMENDED, REFUSED, PENDING, DELIVERED, DEAD, SUPERSEDED = (
    "recommended",
    "refused",
    "pending",
    "delivered",
    "dead",
    "superseded",
)
OUTCOMES = {
    DEAD: "failed",
    DELIVERED: "executed",
    RECOMMENDED: "recommended",
    REFUSED: "refused",
    SUPERSEDED: "superseded",
}
DECIDED_STATES = frozenset((PENDING, DELIVERED, DEAD))  # the guard does not decide again on entries in these states
AGAIN = "@"  # between a cause and the time that tells its repetitions apart, in a key
MAX_ENDED_ENTRIES = 1000  # of each lane; a compaction of the file drops the oldest ones beyond it


class Nature(StrEnum):
    """The two natures of intent; see `intent`."""

    LEVEL = "level"
    ONCE = "once"


class RetrainingRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a retraining that was requested.

    `kind` and `name` are those of the created object, or `webhook` and an empty name. `state` is `requested`,
    `running`, `succeeded` or `failed`, and `at` the epoch second since when. `reason` is a value of `reasons.Reason`,
    and `detail` a message for people. `trial_at` is when a new version or profile was first seen in force, and
    `episode` the open episode that shows that it did not help.
    """

    kind: str
    name: str = ""
    state: str
    reason: str = ""
    detail: str = ""
    at: float = 0.0
    trial_at: float = 0.0
    episode: str = ""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An intent and its state.

    Times are epoch seconds. `desired` is a JSON value, the same for each attempt; it is empty for a refused intent of
    nature ONCE. `target` is a hash of the receiver's address. `next_at` is when a pending entry is due. `error` is the
    reason of the last failed attempt, and `detail` its message for people. `receiver` identifies one of several
    receivers of a kind. `retraining` is what became of a delivered request. `text` says in words why a level
    is wanted. Three fields have other names in the file, from the time when retraining was the only kind: `why` is
    `cause`, `key` is `episode`, `desired` is `body`.
    """

    id: str
    kind: str
    why: str = msgspec.field(name="cause")
    key: str = msgspec.field(name="episode")
    model: str
    version: str
    profile_hash: str
    decided_at: float
    changed_at: float
    state: str
    reason: str
    desired: object = msgspec.field(default="", name="body")
    target: str = ""
    attempts: int = 0
    next_at: float = 0.0
    error: str = ""
    nature: Nature = Nature.ONCE
    observed: object = None
    observed_at: float = 0.0
    receiver: str = ""
    detail: str = ""
    retraining: RetrainingRecord | None = None
    text: str = ""

    @property
    def lane(self) -> str:
        """Kind and receiver; see `lane_of`."""
        return lane_of(self.kind, self.receiver)

    @property
    def cause(self) -> str:
        """The key without the time that tells repetitions of a cause apart."""
        return self.key.partition(AGAIN)[0]


def lane_of(kind: str, receiver: str = "") -> str:
    """Return the name of a lane: what has its own executor, rules, task and bounds, so that no lane delays another."""
    return f"{kind}/{receiver}" if receiver else kind


class PutEntry(msgspec.Struct, frozen=True, tag="put"):
    """Operation: add `entry`, or replace the entry with the same id."""

    entry: LedgerEntry


class ChangeEntry(msgspec.Struct, frozen=True, tag="change", kw_only=True, omit_defaults=True):
    """Operation: change the state of the entry `id`."""

    id: str
    at: float
    state: str
    reason: str
    attempts: int = 0
    next_at: float = 0.0
    error: str = ""
    detail: str = ""
    retraining: RetrainingRecord | None = None


class SetTotals(msgspec.Struct, frozen=True, tag="totals"):
    """Operation: set the counts of outcomes, as (kind, outcome, reason, count); the last operation of a compaction."""

    counts: tuple[tuple[str, str, str, int], ...]


Operation = PutEntry | ChangeEntry | SetTotals


class IntentLedger:
    """All entries by id, and the counts of outcomes. It is immutable: `apply` returns a new ledger."""

    __slots__ = ("entries", "totals")

    def __init__(
        self, entries: Mapping[str, LedgerEntry] | None = None, totals: Mapping[tuple[str, str, str], int] | None = None
    ) -> None:
        self.entries: Mapping[str, LedgerEntry] = entries or {}
        self.totals: Mapping[tuple[str, str, str], int] = totals or {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntentLedger) and (self.entries, self.totals) == (other.entries, other.totals)

    __hash__ = None  # type: ignore[assignment]  # mappings are not hashable

    def apply(self, operations: Iterable[Operation]) -> IntentLedger:
        """Return the ledger after `operations`. A change of an unknown entry is ignored, because its put was lost."""
        entries, totals = dict(self.entries), dict(self.totals)
        for operation in operations:
            match operation:
                case SetTotals(counts):
                    totals.update({(kind, outcome, reason): count for kind, outcome, reason, count in counts})
                case PutEntry(entry):
                    _count(totals, entries.pop(entry.id, None), entry)
                    entries[entry.id] = entry  # moved to the end: entries are in the order of their decisions
                case ChangeEntry(id=id_) if id_ in entries:
                    fresh = _changed(entries[id_], operation)
                    _count(totals, entries[id_], fresh)
                    entries[id_] = fresh
        return IntentLedger(entries, totals)

    def snapshot_operations(self, most: int = MAX_ENDED_ENTRIES) -> list[Operation]:
        """Return the operations that rebuild this ledger with the newest `most` ended entries of each lane.

        Of a level, entries with and without an effect are counted apart: however often it is refused or replaced, the
        effects of the last hour stay, because a limit counts them.
        """
        counts = tuple((*key, count) for key, count in sorted(self.totals.items()))
        ended = [entry for entry in self.entries.values() if entry.state != PENDING]
        ended.sort(key=lambda entry: entry.changed_at, reverse=True)
        seen, dropped = Counter[tuple[str, bool]](), set[str]()
        for entry in ended:
            place = entry.lane, entry.nature is Nature.LEVEL and (entry.state == DELIVERED or entry.attempts > 0)
            seen[place] += 1
            if seen[place] > most:  # counted per lane, so that no lane displaces another
                dropped.add(entry.id)
        kept = (entry for entry in self.entries.values() if entry.id not in dropped)
        # applying the puts counts their outcomes a second time; the totals come last and correct this
        return [*(PutEntry(_without_body(entry)) for entry in kept), SetTotals(counts)]


def _without_body(entry: LedgerEntry) -> LedgerEntry:
    keeps = entry.nature is Nature.LEVEL or entry.state in {PENDING, DEAD}
    return entry if keeps else msgspec.structs.replace(entry, desired="")


def _changed(entry: LedgerEntry, change: ChangeEntry) -> LedgerEntry:
    return msgspec.structs.replace(
        entry,
        state=change.state,
        reason=change.reason,
        changed_at=change.at,
        attempts=change.attempts,
        next_at=change.next_at,
        error=change.error,
        detail=change.detail,
        retraining=change.retraining,
    )


def _count(totals: dict[tuple[str, str, str], int], before: LedgerEntry | None, after: LedgerEntry) -> None:
    if after.state not in OUTCOMES or (before and (before.state, before.reason) == (after.state, after.reason)):
        return
    key = (after.kind, OUTCOMES[after.state], after.reason)
    totals[key] = totals.get(key, 0) + 1
