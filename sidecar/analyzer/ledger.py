"""The ledger: what became of every record that the proxy's channel took, in exchanges, exactly.

Records are numbered 1, 2, 3, ...; each number up to `position` has one fate here, so position = sum of the fates.
Whatever is missing between two numbers was lost at a restart, and says at whose. Pure: no clock, no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..channel.record import VERSION, Hello

MEASURED = "measured"
UNDECODABLE = "undecodable"
DROPPED = "dropped"
IDENTIFIED, REUSED = "identified", "reused_ids"  # measured exchanges with a request id; with that of an earlier one
ANALYZER_RESTART, PROXY_RESTART = "analyzer_restart", "proxy_restart"
VERSION_MISMATCH = "version_mismatch"  # sent by a proxy whose records are of another version
_FATES = (MEASURED, UNDECODABLE, DROPPED)

Counters = dict[str, int]


@dataclass
class Ledger:
    """Counts fates and other totals that must never run backwards.

    `id` names one run of the numbering: totals of different ids are never compared. `totals` holds the
    fates as `fate` or `fate:reason`, and whatever else is added by name. `epoch` is the one of the proxy that was heard
    last, 0 before any.
    """

    id: int
    totals: Counters = field(default_factory=dict)
    epoch: int = 0
    refused: bool = False  # whether the last greeting was of another version, so that its connection was closed
    position: int = field(init=False)

    def __post_init__(self) -> None:
        self.position = sum(amount for name, amount in self.totals.items() if name.split(":")[0] in _FATES)

    def add(self, name: str, amount: int = 1) -> None:
        """Add to the total `name`."""
        self.totals[name] = self.totals.get(name, 0) + amount

    def settle(self, fate: str, reason: str = "", exchanges: int = 1) -> None:
        """Give the next `exchanges` records their fate."""
        name = f"{fate}:{reason}" if reason else fate
        self.totals[name] = self.totals.get(name, 0) + exchanges
        self.position += exchanges

    def greet(self, hello: Hello, fresh_id: int) -> bool:
        """Take a new connection's greeting: count what was lost before it; return False when the numbering began anew.

        Then the counter page is a new one, and so is the ledger, under `fresh_id`.
        """
        continued = hello.next_sequence > self.position or hello.epoch == self.epoch
        if not continued:
            self.id, self.totals, self.position = fresh_id, {}, 0
        known = self.epoch in (0, hello.epoch)
        restarted = ANALYZER_RESTART if known else PROXY_RESTART
        self.skip_to(hello.next_sequence, VERSION_MISMATCH if self.refused else restarted)
        self.epoch, self.refused = hello.epoch, hello.version != VERSION
        return continued

    def skip_to(self, sequence: int, reason: str = ANALYZER_RESTART) -> None:
        """Count the records between `position` and `sequence`, which never came, as dropped."""
        if sequence > self.position + 1:
            self.settle(DROPPED, reason, sequence - self.position - 1)


def restore(
    file: tuple[int, Counters] | None, checkpoint: tuple[int, Counters] | None, fresh_id: int
) -> tuple[int, Counters]:
    """Return the ledger's id and totals after a restart: the elementwise maximum, where both are of one id.

    `file` stands beside the counter page and is as old as it is; a checkpoint of another id belongs to another page.
    """
    if file is None:
        return fresh_id, {}
    if checkpoint is None or checkpoint[0] != file[0]:
        return file
    names = [*file[1], *(name for name in checkpoint[1] if name not in file[1])]
    return file[0], {name: max(file[1].get(name, 0), checkpoint[1].get(name, 0)) for name in names}
