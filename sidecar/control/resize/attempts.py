"""What the control loop did to the resources of each object, from its ledger. Pure.

The ledger is the memory of resizing that another leader continues from: when a container was changed last, what it had
before, and which change the node did not make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..ledger import DEAD, DELIVERED, PENDING, SUPERSEDED, IntentLedger, LedgerEntry
from ..reasons import Reason
from .guard import TAKEN_BACK
from .policy import KIND
from .refusals import RefusedResize, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A change that was made, or may have been made without an answer, at the time `at` in epoch seconds."""

    before: Shown
    after: Shown
    at: float
    why: str
    text: str = ""
    answered: bool = True

    @property
    def takes_back(self) -> bool:
        """Whether it took back a resize that the node did not make."""
        return self.why in TAKEN_BACK


@dataclass(frozen=True, slots=True)
class Attempts:
    """By key, the newest change and the newest refusal of each object; `resized_at` is the time of the newest change.

    A change whose attempt has no answer counts. `waiting` has the amounts of changes that are decided and not made yet.
    """

    newest: Mapping[str, Attempt] = field(default_factory=dict)
    refusals: Mapping[str, RefusedResize] = field(default_factory=dict)
    waiting: Mapping[str, Shown] = field(default_factory=dict)
    resized_at: float | None = None

    @classmethod
    def of(cls, ledger: IntentLedger) -> Attempts:
        """Return the changes in `ledger`."""
        newest: dict[str, Attempt] = {}
        refusals: dict[str, RefusedResize] = {}
        waiting: dict[str, Shown] = {}
        own = (entry for entry in ledger.entries.values() if entry.kind == KIND)
        for entry in sorted(own, key=lambda entry: entry.changed_at):
            if not isinstance(entry.desired, dict) or not isinstance(entry.observed, dict):
                continue
            if (attempt := _attempt(entry)) is not None:
                newest[entry.key] = attempt
                if attempt.answered and attempt.takes_back:
                    refusals[entry.key] = RefusedResize(attempt.before, attempt.at, entry.why, entry.text)
            if entry.state == DEAD:
                refusals[entry.key] = RefusedResize(entry.desired, entry.changed_at, entry.error, entry.detail)
            if entry.state == PENDING:
                waiting[entry.key] = entry.desired
        done = [attempt.at for attempt in newest.values() if attempt.answered]
        return cls(newest, refusals, waiting, max(done, default=None))


def _attempt(entry: LedgerEntry) -> Attempt | None:
    done = entry.state == DELIVERED or (entry.state == SUPERSEDED and entry.reason == Reason.SATISFIED)
    if not (done or entry.state in {PENDING, SUPERSEDED}) or not entry.attempts or entry.error:
        return None
    return Attempt(
        before=entry.observed,  # type: ignore[arg-type]  # a map, as the caller has checked
        after=entry.desired,  # type: ignore[arg-type]
        at=entry.changed_at,
        why=entry.why,
        text=entry.text,
        answered=done,
    )
