"""Acknowledgements: which reports of the pods survive a restart of the controller.

A report may be acknowledged when a stored state contains it or has closed its tick. A state is numbered when it is
made, and counts once the caller says that it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...sync.messages import Acknowledgement
from .fold import FoldKey


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a state contains: closed ticks, and for open ticks the sequence of each counts."""

    closed_through: int
    open: Mapping[tuple[int, FoldKey], int]

    def contains(self, tick: int, key: FoldKey, sequence: int) -> bool:
        return tick <= self.closed_through or self.open.get((tick, key), -1) >= sequence


class Acknowledgements:
    """The last reports of each pod, and what the stored state contains. `revision` numbers the last state."""

    def __init__(self) -> None:
        self.revision = 0
        self._asked: dict[str, tuple[FoldKey, Mapping[int, int]]] = {}  # by pod: the sequence of each reported tick
        self._stored: _Stored | None = None
        self._unstored: dict[int, _Stored] = {}  # by revision, the last two

    def ask(self, key: FoldKey, reported: Mapping[int, int]) -> None:
        """Replace the last reports of a pod by `reported`: the sequence of each tick."""
        self._asked[key.pod] = key, reported

    def forget(self, pod: str) -> None:
        """Forget the reports of a pod."""
        self._asked.pop(pod, None)

    def of(self, pod: str) -> tuple[Acknowledgement, ...]:
        """Return which of the last reports of a pod a stored state contains."""
        if self._stored is None or pod not in self._asked:
            return ()
        key, reported = self._asked[pod]
        return tuple(
            Acknowledgement(tick=tick, sequence=sequence)
            for tick, sequence in sorted(reported.items())
            if self._stored.contains(tick, key, sequence)
        )

    def add_state(self, closed_through: int | None, opened: Mapping[tuple[int, FoldKey], int]) -> None:
        """Number a state with these contents."""
        self.revision += 1
        latest = list(self._unstored.items())[-1:]
        contents = _Stored(-1 if closed_through is None else closed_through, opened)
        self._unstored = {**dict(latest), self.revision: contents}

    def checkpointed(self, revision: int) -> None:
        """Record that the state with this number is stored."""
        self._stored = self._unstored.get(revision, self._stored)
