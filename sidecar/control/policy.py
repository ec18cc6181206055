"""Policies: pure functions from the situation to intents, one per kind.

A policy returns what it wants without regard to mode or cooldown; the guard checks these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .intent import Intent
from .ledger import ChangeEntry, LedgerEntry
from .situation import Situation


def _never(_entry: LedgerEntry, _situation: Situation) -> str:
    return ""


def _unchanged(_situation: Situation) -> Sequence[ChangeEntry]:
    return ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Turns the situation into the intents of one kind.

    `wanted` returns all current intents, the most urgent one first. The same situation gives the same intents. `ended`
    is for intents of nature ONCE: it returns the reason why the cause of a pending entry has ended, or an empty string
    while the cause lasts. For LEVEL, `pending` compares the entry with the current intents instead. `followed` returns
    what became of applied entries.
    """

    kind: str
    wanted: Callable[[Situation], Sequence[Intent]]
    ended: Callable[[LedgerEntry, Situation], str] = _never
    followed: Callable[[Situation], Sequence[ChangeEntry]] = _unchanged
