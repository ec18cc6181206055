"""The contract of a source of the table: `sidecars.py` and `namespace.py` implement it."""

from __future__ import annotations

from typing import Protocol

from .history import Poll


class Source(Protocol):
    """What is polled. `title` names it in the first line."""

    title: str

    async def poll(self) -> Poll:
        """Ask all sidecars once. Never raises for one that does not answer: the Poll says so."""

    async def close(self) -> None:
        """Close the connections."""
