"""The kills of a container for its memory, each of which counts once: their identities are kept for the next leader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from ..resize.usage import OomKill
from .checkpoint import ResizingCheckpoint
from .resizing_pods import oom_kills
from .world import Item

MOST_KILLS = 500  # identities that are stored, and those that are kept although no pod shows them any more


@dataclass(frozen=True, slots=True)
class KillBook:
    """The identities of the kills that were counted, oldest first, and when the last one was, in epoch seconds."""

    identities: Mapping[str, None] = field(default_factory=dict)
    last_at: float = 0.0

    @classmethod
    def of(cls, stored: ResizingCheckpoint) -> Self:
        """Return the book of a former leader."""
        return cls(dict.fromkeys(stored.kills), stored.killed_at)

    @property
    def stored(self) -> tuple[str, ...]:
        """The identities for the checkpoint."""
        return (*self.identities,)[-MOST_KILLS:]

    def unseen(self, items: Iterable[Item], container: str, now: float) -> dict[str, OomKill]:
        """Return the kills that the pods `items` show and that were not counted, by identity.

        The clock of a node may be ahead of `now`, in epoch seconds; such a kill is one of now.
        """
        return {
            identity: replace(kill, at=min(kill.at, now))
            for item in items
            for identity, kill in oom_kills(item, container)
            if identity not in self.identities
        }

    def counted(self, kills: Mapping[str, OomKill], items: Iterable[Item], container: str) -> KillBook:
        """Return the book with `kills`. A kill that one of the pods `items` shows is never forgotten."""
        if not kills:
            return self
        known = [*self.identities, *kills]
        shown = {identity for item in items for identity, _ in oom_kills(item, container)}
        old = len(known) - MOST_KILLS
        kept = (identity for place, identity in enumerate(known) if place >= old or identity in shown)
        return KillBook(dict.fromkeys(kept), max(self.last_at, *(kill.at for kill in kills.values())))
