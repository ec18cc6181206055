"""What another leader continues from about the resources of a container: the recommender, and the kills it has seen."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Self

from ..resize.state import ResizeState, ResizeStateError
from .checkpoint import ResizingCheckpoint
from .key import MonitorKey
from .resizing_kills import KillBook

_LOG = logging.getLogger("pilotfish.control")


@dataclass
class ResizeMemory:
    """The state of the recommender and the counted kills. `subject` is the container that they are about."""

    subject: str = ""
    state: ResizeState = field(default_factory=ResizeState)
    kills: KillBook = field(default_factory=KillBook)

    @classmethod
    def of(cls, stored: ResizingCheckpoint, key: MonitorKey) -> Self:
        """Return the memory of a former leader; a state of the recommender that cannot be read starts anew."""
        found = cls(subject=stored.subject, kills=KillBook.of(stored))
        try:
            found.state = ResizeState.decode(stored.recommender) if stored.recommender else ResizeState()
        except ResizeStateError as error:
            _LOG.warning("monitor %s: %s", key, error)
        return found

    def turn_to(self, subject: str) -> bool:
        """Begin anew if `subject` is another container: its use says nothing about this one. Return whether it is."""
        anew = self.subject not in ("", subject)
        if anew:
            self.state, self.kills = ResizeState(), KillBook(self.kills.identities)
        self.subject = subject
        return anew

    @property
    def stored(self) -> ResizingCheckpoint:
        """The memory for the checkpoint."""
        return ResizingCheckpoint(
            subject=self.subject,
            recommender=self.state.encode(),
            kills=self.kills.stored,
            killed_at=self.kills.last_at,
        )
