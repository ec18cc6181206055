"""The protocol of outboxes: where the intent ledger survives a crash.

The loop commits every operation before it acts on it. `file_outbox` keeps the ledger in a file, for one process on one
machine. `store_outbox` keeps it where several processes can reach it, for the controller of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .ledger import IntentLedger, Operation

Step = Callable[[str], None]


def ignore_step(_name: str) -> None:
    """Do nothing: the default for `step`."""


class Outbox(Protocol):
    """The ledger, and where it is kept.

    `unsaved` is the number of operations that are not kept yet. `problem` says why, and `damage` what could not be read
    back; both are empty without any. `damaged` names the damaged records.
    """

    @property
    def ledger(self) -> IntentLedger:
        """The result of all operations so far."""

    @property
    def unsaved(self) -> int: ...  # see the class

    @property
    def problem(self) -> str: ...

    @property
    def damage(self) -> str: ...

    @property
    def damaged(self) -> tuple[str, ...]: ...

    async def open(self) -> None:
        """Read the ledger, unless it is open already; raise OutboxError if what was decided before cannot be read."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Apply `operations`; raise OutboxError if the loop must not act on them. `open` is then to be called again."""

    def close(self) -> None:
        """Let another process open the ledger."""
