"""Named states with compare-and-swap: where a ledger or a checkpoint outlives the process that wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .errors import StoreConflictError


@dataclass(frozen=True, slots=True)
class Stored:
    """A state, and its revision: an opaque text that changes with each write."""

    data: bytes
    revision: str


class StateStore(Protocol):
    """States by key.

    All methods raise StoreError if the store cannot be reached or refuses. A write may then have been carried out all
    the same, so load the state again before the next write.
    """

    async def load(self, key: str) -> Stored | None:
        """Return the state `key`; None if there is none."""

    async def save(self, key: str, data: bytes, revision: str) -> str:
        """Write the state `key` and return its new revision; raise StoreConflictError.

        Another write since `revision` is a conflict. An empty `revision` means that there was no state.
        """

    async def delete(self, key: str) -> None:
        """Delete the state `key`, if there is one."""


class MemoryStore:
    """A store within this process, for tests and trials; `writes` counts the calls of `save` that wrote."""

    def __init__(self) -> None:
        self._states: dict[str, Stored] = {}
        self.writes = 0

    async def load(self, key: str) -> Stored | None:
        """Return the state `key`; None if there is none."""
        return self._states.get(key)

    async def save(self, key: str, data: bytes, revision: str) -> str:
        """Write the state `key` and return its new revision; raise StoreConflictError."""
        present = self._states.get(key)
        if revision != (present.revision if present else ""):
            raise StoreConflictError(f"state {key}: it was written since revision {revision!r}; load it again")
        self.writes += 1
        self._states[key] = Stored(data, str(self.writes))
        return str(self.writes)

    async def delete(self, key: str) -> None:
        """Delete the state `key`, if there is one."""
        self._states.pop(key, None)
