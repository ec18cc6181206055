"""Counts of the past, in fewer and fewer pieces: what effect sizes since an onset, or lately, are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pilotfish.detectors.errors import StateError
from pilotfish.detectors.profile import Profile
from pilotfish.detectors.summaries.counts import Counts

A_LEVEL = 3  # pieces of one size; a fourth merges the two oldest into one of twice the size
LEVELS = 13  # the oldest piece holds 4096 closed ticks


@dataclass(frozen=True)
class Piece:
    """The counts of closed ticks `first` to `last`."""

    level: int
    first: int
    last: int
    ticks: int
    counts: Counts


class History:
    """At most `A_LEVEL` pieces of 1, 2, 4, ... 4096 closed ticks, oldest first."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._pieces: list[Piece] = []

    def add(self, tick: int, counts: Counts) -> None:
        """Append a closed tick; the oldest piece is forgotten when all levels are full."""
        self._pieces.append(Piece(0, tick, tick, 1, counts))
        for level in range(LEVELS):
            same = [i for i, piece in enumerate(self._pieces) if piece.level == level]
            if len(same) <= A_LEVEL:
                return
            one, other = self._pieces[same[0]], self._pieces[same[1]]
            merged = [] if level == LEVELS - 1 else [_merged(one, other)]
            self._pieces[same[0] : same[1] + 1] = merged

    def since(self, tick: int) -> Piece | None:
        """The shortest stretch of whole pieces that reaches back to a tick, or all there is."""
        return _folded([piece for piece in self._pieces if piece.last >= tick])

    def latest(self, ticks: int) -> Piece | None:
        """The shortest stretch of whole pieces with so many closed ticks, or all there is."""
        chosen: list[Piece] = []
        for piece in reversed(self._pieces):
            if sum(one.ticks for one in chosen) >= ticks:
                break
            chosen.insert(0, piece)
        return _folded(chosen)

    def state(self) -> list[dict[str, Any]]:
        return [
            {"counts": p.counts.state(), "first": p.first, "last": p.last, "level": p.level, "ticks": p.ticks}
            for p in self._pieces
        ]

    def restore(self, state: list[Mapping[str, Any]]) -> None:
        """StateError unless the pieces follow one another."""
        pieces = [
            Piece(p["level"], p["first"], p["last"], p["ticks"], Counts.from_state(self._profile, p["counts"]))
            for p in state
        ]
        if any(later.first <= earlier.last for earlier, later in pairwise(pieces)):
            raise StateError("the stored history is out of order; start without it")
        self._pieces = pieces


def _merged(one: Piece, other: Piece) -> Piece:
    return Piece(one.level + 1, one.first, other.last, one.ticks + other.ticks, one.counts + other.counts)


def _folded(pieces: list[Piece]) -> Piece | None:
    if not pieces:
        return None
    first, last = pieces[0], pieces[-1]
    counts = first.counts
    for piece in pieces[1:]:
        counts = counts + piece.counts
    return Piece(first.level, first.first, last.last, sum(piece.ticks for piece in pieces), counts)
