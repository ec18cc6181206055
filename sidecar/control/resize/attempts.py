"""What the control loop did to the resources of each object, from its ledger. Pure.

The ledger is the memory of resizing that another leader continues from: when a container was changed last, what it had
before, and which change the node did not make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ...podspec.quantity import quantity
from ..ledger import DELIVERED, PENDING, SUPERSEDED, IntentLedger, LedgerEntry
from ..reasons import Reason
from .policy import KIND

Shown = Mapping[str, Mapping[str, str]]  # requests and limits as in an intent
NOTHING: Shown = {}


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
        return self.why == Reason.RESIZE_REVERTED


@dataclass(frozen=True, slots=True)
class Attempts:
    """The newest change of each object by key, and the newest one of all. A pending one that was tried counts."""

    newest: Mapping[str, Attempt] = field(default_factory=dict)
    resized_at: float | None = None

    @classmethod
    def of(cls, ledger: IntentLedger) -> Attempts:
        """Return the changes in `ledger`."""
        newest: dict[str, Attempt] = {}
        for entry in ledger.entries.values():
            attempt = _attempt(entry) if entry.kind == KIND else None
            if attempt is not None and (entry.key not in newest or newest[entry.key].at <= attempt.at):
                newest[entry.key] = attempt
        done = [attempt.at for attempt in newest.values() if attempt.answered]
        return cls(newest, max(done, default=None))


def _attempt(entry: LedgerEntry) -> Attempt | None:
    done = entry.state == DELIVERED or (entry.state == SUPERSEDED and entry.reason == Reason.SATISFIED)
    if not (done or entry.state in {PENDING, SUPERSEDED}) or not entry.attempts:
        return None
    if not isinstance(entry.desired, dict) or not isinstance(entry.observed, dict):
        return None
    return Attempt(
        before=entry.observed,
        after=entry.desired,
        at=entry.changed_at,
        why=entry.why,
        text=entry.text,
        answered=done,
    )


def exceeds(wanted: Shown, refused: Shown, present: Shown) -> bool:
    """Return whether `wanted` raises an amount over `present`, to as much as in `refused` or more."""
    return any(
        _number(amount) > _number(present.get(side, NOTHING).get(kind)) and _number(amount) >= _number(limit)
        for side, amounts in wanted.items()
        for kind, amount in amounts.items()
        if (limit := refused.get(side, NOTHING).get(kind)) is not None
        and _number(limit) > _number(present.get(side, NOTHING).get(kind))
    )


def _number(value: object) -> Fraction:
    return quantity(value) or Fraction(0)
