"""The policy: what is wanted, whatever may forbid it. One per kind of intent, pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .intent import Intent
from .ledger import LedgerEntry
from .situation import Situation


def _never(_entry: LedgerEntry, _situation: Situation) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Turns the situation into the intents of one kind.

    `wanted` returns all that is wanted now, most urgent first; the same situation gives the same intents. `ended`
    serves intents of nature ONCE: it returns the reason why the cause of a pending entry has ended, and the empty
    string while the cause lasts. For LEVEL the loop finds the end itself.
    """

    kind: str
    wanted: Callable[[Situation], Sequence[Intent]]
    ended: Callable[[LedgerEntry, Situation], str] = _never
