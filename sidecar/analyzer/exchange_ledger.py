"""The exchange ledger: the exact outcome of every record that the proxy put into the channel.

The proxy numbers records 1, 2, 3, ... Each number up to `position` has exactly one outcome, so `position` equals the
sum of the outcomes. This invariant makes the accounting identity hold. A restart loses the records between two
numbers; the ledger counts them as dropped, with the process that restarted as the reason. No clock and no file.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..channel.record import VERSION, Hello
from .component import Component
from .counters import DROPPED, MEASURED, UNDECODABLE, CounterKey, Counters

ANALYZER_RESTART, PROXY_RESTART = "analyzer_restart", "proxy_restart"
VERSION_MISMATCH = "version_mismatch"  # the proxy writes another version of the record format
OUTCOMES = (DROPPED, MEASURED, UNDECODABLE)


@dataclass
class ExchangeLedger(Component):
    """Counts outcomes in `counters`, which also holds all other totals.

    `id` identifies one run of the numbering; totals with different ids are never compared. `epoch` is the epoch of the
    last proxy that connected, 0 before the first one.
    """

    id: int
    counters: Counters = field(default_factory=Counters)
    epoch: int = 0
    refused: bool = False  # whether the last connection was closed because its handshake had another version
    position: int = field(init=False)

    def __post_init__(self) -> None:
        self._set_position()

    @classmethod
    def of_file(cls, file: tuple[int, Mapping[str, int]] | None, fresh_id: int) -> ExchangeLedger:
        """Return the ledger in the totals file; for None, a new ledger with `fresh_id`."""
        stored_id, totals = file or (fresh_id, {})
        return cls(stored_id, Counters(totals))

    def record_outcome(self, key: CounterKey, exchanges: int = 1) -> None:
        """Count the outcome of the next `exchanges` records; the kind of `key` is one of OUTCOMES."""
        self.counters.add(key, exchanges)
        self.position += exchanges

    def handshake(self, hello: Hello, fresh_id: int) -> bool:
        """Start a connection and count the records lost before it; return False when the numbering restarted.

        The numbering restarts with a new counter page. The ledger then starts from zero with the id `fresh_id`.
        """
        continued = hello.next_sequence > self.position or hello.epoch == self.epoch
        if not continued:
            self.id, self.position = fresh_id, 0
            self.counters.clear()
        same_proxy = self.epoch in (0, hello.epoch)
        restarted = ANALYZER_RESTART if same_proxy else PROXY_RESTART
        self.count_lost(hello.next_sequence, VERSION_MISMATCH if self.refused else restarted)
        self.epoch, self.refused = hello.epoch, hello.version != VERSION
        return continued

    def count_lost(self, sequence: int, reason: str = ANALYZER_RESTART) -> None:
        """Count the records between `position` and `sequence`, which did not arrive, as dropped."""
        if sequence > self.position + 1:
            self.record_outcome(DROPPED.key(reason), sequence - self.position - 1)

    def state(self) -> dict[str, Any]:
        """Return id, epoch and totals."""
        return {"id": self.id, "epoch": self.epoch, "totals": self.counters.named()}

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Raise each total to the saved one; ignore totals of another id, which belong to another counter page."""
        self.epoch = int(saved["epoch"])
        if saved["id"] == self.id:
            self.counters.merge(saved["totals"])
            self._set_position()

    def _set_position(self) -> None:
        self.position = sum(sum(self.counters.of(kind).values()) for kind in OUTCOMES)


def new_ledger_id() -> int:
    """Return a random id for a new ledger: 63 bits, never 0."""
    return secrets.randbits(63) | 1
