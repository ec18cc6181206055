"""The ledger of exchanges: the outcome of every record that the proxy put into the channel, exactly.

Records are numbered 1, 2, 3, ... Each number up to `position` has one outcome, so position = sum of the outcomes.
A gap between two numbers was lost at a restart; the ledger counts it as dropped, by who restarted. Pure: no clock, no
file.
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
VERSION_MISMATCH = "version_mismatch"  # the proxy writes records of another version
OUTCOMES = (DROPPED, MEASURED, UNDECODABLE)


@dataclass
class ExchangeLedger(Component):
    """Counts outcomes, beside everything else that is in `counters`.

    `id` names one run of the numbering: totals of different ids are never compared. `epoch` is that of the last proxy
    that connected, 0 before any.
    """

    id: int
    counters: Counters = field(default_factory=Counters)
    epoch: int = 0
    refused: bool = False  # whether the last handshake was of another version, so that its connection was closed
    position: int = field(init=False)

    def __post_init__(self) -> None:
        self._set_position()

    @classmethod
    def of_file(cls, file: tuple[int, Mapping[str, int]] | None, fresh_id: int) -> ExchangeLedger:
        """Return the ledger that the file `fates` holds. With None, the counter page is new, and so is the ledger."""
        stored_id, totals = file or (fresh_id, {})
        return cls(stored_id, Counters(totals))

    def record_outcome(self, key: CounterKey, exchanges: int = 1) -> None:
        """Count the outcome of the next `exchanges` records; the key is of a kind in `OUTCOMES`."""
        self.counters.add(key, exchanges)
        self.position += exchanges

    def handshake(self, hello: Hello, fresh_id: int) -> bool:
        """Start a connection: count what was lost before it. Return False when the numbering started again.

        Then the counter page is new, and the ledger starts from nothing under `fresh_id`.
        """
        continued = hello.next_sequence > self.position or hello.epoch == self.epoch
        if not continued:
            self.id, self.position = fresh_id, 0
            self.counters.clear()
        known = self.epoch in (0, hello.epoch)
        restarted = ANALYZER_RESTART if known else PROXY_RESTART
        self.count_lost(hello.next_sequence, VERSION_MISMATCH if self.refused else restarted)
        self.epoch, self.refused = hello.epoch, hello.version != VERSION
        return continued

    def count_lost(self, sequence: int, reason: str = ANALYZER_RESTART) -> None:
        """Count the records between `position` and `sequence`, which never arrived, as dropped."""
        if sequence > self.position + 1:
            self.record_outcome(DROPPED.key(reason), sequence - self.position - 1)

    def state(self) -> dict[str, Any]:
        """Return id, epoch and totals."""
        return {"id": self.id, "epoch": self.epoch, "totals": self.counters.named()}

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Take the greater of each total; those of another id belong to another counter page and do not count."""
        self.epoch = int(saved["epoch"])
        if saved["id"] == self.id:
            self.counters.merge(saved["totals"])
            self._set_position()

    def _set_position(self) -> None:
        self.position = sum(sum(self.counters.of(kind).values()) for kind in OUTCOMES)


def new_ledger_id() -> int:
    """Return an id for a new ledger: random, of 63 bits, never 0."""
    return secrets.randbits(63) | 1
