"""Component with the closed ticks that the controller has not acknowledged.

It is in the checkpoint together with all counts, so that a restart loses no tick and counts none twice. The epoch
changes exactly when that cannot be promised: without a checkpoint, in another pod, after a change of profile or of the
tick length. Within an epoch, a tick closes once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from ....detectors.batch import SIDES
from ....detectors.profile.profile import Profile
from ....detectors.summaries.counts import Counts
from ...sync.counts import encode_counts
from ...sync.messages import Acknowledgement
from ..component import Component
from ..ticks import TickClock

KEPT_SECONDS = 3600.0  # the age of a tick, against the tick that closed last, above which it is dropped
KEPT_BYTES = 4 * 1024 * 1024  # of all ticks; each checkpoint contains them


class UnacknowledgedTick(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one closed tick, in the form of `sync.counts`; `sequence` is the number of their rows."""

    epoch: str
    profile_hash: str
    tick: int
    sequence: int
    counts: bytes


@dataclass(frozen=True, kw_only=True)
class SyncSnapshot:
    """What may be sent to the controller.

    Attributes:
        epoch, profile_hash: those of the counts of now.
        complete_through: all ticks up to this one are closed; -1 before the first.
        ticks: the unacknowledged ones, oldest first.
        dropped: how many ticks were dropped without an acknowledgement.
    """

    epoch: str
    profile_hash: str
    complete_through: int
    ticks: tuple[UnacknowledgedTick, ...] = ()
    dropped: int = 0


class _Saved(msgspec.Struct, kw_only=True):
    base: str
    life: int
    pod_uid: str
    tick_ns: int
    profile_hash: str
    dropped: int
    ticks: list[UnacknowledgedTick]


class UnacknowledgedTicks(Component):
    """Keeps each closed tick until the controller acknowledges it; drops the oldest ones beyond an hour.

    `pod_uid` is that of this pod. `fresh` identifies this process; it becomes a part of the epoch when no checkpoint
    can be resumed.
    """

    def __init__(self, pod_uid: str, fresh: str) -> None:
        self._pod_uid = pod_uid
        self._base = fresh
        self._life = 0
        self._profile_hash = ""
        self._ticks: list[UnacknowledgedTick] = []
        self._dropped = 0
        self._clock = TickClock(1)

    def use(self, clock: TickClock) -> None:
        """Use the tick clock of the pipeline; call it once, before anything else."""
        self._clock = clock

    @property
    def epoch(self) -> str:
        """The epoch of the present counts."""
        return f"{self._base}-{self._life}"

    def add(self, profile: Profile, tick: int, counts: Counts) -> None:
        """Keep the counts of a tick that has just closed; a tick without rows needs no report."""
        rows = count_rows(counts)
        if not rows:
            return
        self._ticks.append(
            UnacknowledgedTick(
                epoch=self.epoch, profile_hash=profile.hash, tick=tick, sequence=rows, counts=encode_counts(counts)
            )
        )
        self._trim(tick)

    def acknowledge(self, epoch: str, acknowledged: Collection[Acknowledgement]) -> None:
        """Forget the ticks of `epoch` that survive a restart of the controller."""
        through = {item.tick: item.sequence for item in acknowledged}
        self._ticks = [
            item for item in self._ticks if item.epoch != epoch or item.sequence > through.get(item.tick, -1)
        ]

    def snapshot(self) -> SyncSnapshot:
        """Return what may be sent, once the present state is in a checkpoint."""
        return SyncSnapshot(
            epoch=self.epoch,
            profile_hash=self._profile_hash,
            complete_through=self._clock.closed_through,
            ticks=tuple(self._ticks),
            dropped=self._dropped,
        )

    def follow_profile(self, profile_hash: str, *, resumed: bool) -> None:
        """Begin another epoch, unless the counts of the profile now in force were `resumed` from the checkpoint."""
        self._life += not resumed
        self._profile_hash = profile_hash

    # --- the checkpoint

    def state(self) -> dict[str, Any]:
        """Return epoch and ticks as plain values."""
        saved = _Saved(
            base=self._base,
            life=self._life,
            pod_uid=self._pod_uid,
            tick_ns=self._clock.tick_ns,
            profile_hash=self._profile_hash,
            dropped=self._dropped,
            ticks=self._ticks,
        )
        plain: dict[str, Any] = msgspec.to_builtins(saved, builtin_types=(bytes,))
        return plain

    def resume(self, saved: object) -> None:
        """Continue the saved epoch; its ticks are dropped if they are of another pod or of another tick length."""
        found = msgspec.convert(saved, _Saved)
        self._dropped = found.dropped
        if (found.pod_uid, found.tick_ns) == (self._pod_uid, self._clock.tick_ns):
            self._base, self._life, self._profile_hash = found.base, found.life, found.profile_hash
            self._ticks = found.ticks
        else:
            self._dropped += len(found.ticks)

    # --- helpers

    def _trim(self, newest: int) -> None:
        oldest = newest - KEPT_SECONDS * 1e9 / self._clock.tick_ns
        size = sum(len(item.counts) for item in self._ticks)
        while len(self._ticks) > 1 and (self._ticks[0].tick <= oldest or size > KEPT_BYTES):
            size -= len(self._ticks.pop(0).counts)
            self._dropped += 1


def count_rows(counts: Counts) -> int:
    """Return the rows of all sides: the sequence of these counts."""
    return sum(counts.rows(side) for side in SIDES)
