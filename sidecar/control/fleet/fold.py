"""The fold: reports of pods become the counts of open ticks, whatever their order and however often they arrive.

Per pod, epoch and tick, the elementwise maximum of all reports counts, since each one includes those before it. The
counts of a tick are the sum over pods and epochs. Both operations are commutative, and the maximum is idempotent, so a
report that is lost is simply sent again. `detector.py` decides which reports come in and which ticks leave.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ....detectors.batch import SIDES, Array, Ints
from ....detectors.errors import CountsMismatchError, StateError, shown
from ....detectors.profile.profile import Profile
from ....detectors.summaries.counts import Counts

_TYPES = tuple(np.dtype(kind) for kind in ("<u1", "<u2", "<u4", "<i8"))


class FoldKey(NamedTuple):
    """Which counts a report continues."""

    pod: str
    epoch: str


@dataclass(slots=True)
class PodCounts:
    """The counts of one pod and epoch in one tick.

    Attributes:
        sequence: the largest one of the reports.
        small: bin counts, mismatches and absent rows, in the smallest unsigned type that holds them.
        large: excess and the rows of each side, likewise.
    """

    sequence: int
    small: Array
    large: Array

    @property
    def nbytes(self) -> int:
        """Size of the counts in bytes."""
        return self.small.nbytes + self.large.nbytes


class Fold:
    """The counts of the open ticks. The caller bounds pods, epochs and ticks; `nbytes` is the present size.

    Example:
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> from pilotfish.sidecar.control.fleet.fold import Fold, FoldKey
        >>> profile = build_profile({"city": ["Rome"] * 30 + ["Bern"] * 10}, exchangeable=True)
        >>> fold, counting = Fold(profile), TickCounts(profile)
        >>> counting.add(Batch({"city": ["Rome", "Rome"]}, 2))
        >>> counts = counting.take()
        >>> for pod in ("a", "b", "a"):  # the last report is a repetition
        ...     fold.add(7, FoldKey(pod, "1"), 2, counts)
        >>> fold.take(7).input_rows
        4
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._small = profile.n_bins + 2 * len(profile.features)
        self._large = 2 * len(profile.features) + len(SIDES)
        self._ticks: dict[int, dict[str, dict[str, PodCounts]]] = {}
        self.nbytes = 0

    @property
    def ticks(self) -> list[int]:
        """The open ticks that have counts, in order."""
        return sorted(self._ticks)

    def pods(self, tick: int) -> Collection[str]:
        """Return the pods that have counts in a tick."""
        return self._ticks.get(tick, {}).keys()

    def keys(self, tick: int) -> list[FoldKey]:
        """Return pod and epoch of all counts in a tick, in order."""
        return sorted(FoldKey(pod, epoch) for pod, epochs in self._ticks.get(tick, {}).items() for epoch in epochs)

    def epochs(self, tick: int, pod: str) -> Mapping[str, PodCounts]:
        """Return the counts of a pod in a tick by epoch."""
        return self._ticks.get(tick, {}).get(pod, {})

    def add(self, tick: int, key: FoldKey, sequence: int, counts: Counts) -> None:
        """Add a report; a repeated or older one changes nothing.

        Raises:
            CountsMismatchError: the counts belong to another profile.
        """
        if counts.profile_hash != self._profile.hash:
            raise CountsMismatchError(
                f"cannot add counts of profile {shown(counts.profile_hash)} to those of {self._profile.hash!r}; "
                "discard them"
            )
        small, large = _flat(counts)
        known = self.epochs(tick, key.pod).get(key.epoch)
        if known is not None:
            small, large = np.maximum(small, known.small), np.maximum(large, known.large)
            sequence = max(sequence, known.sequence)
        self._put(tick, key, PodCounts(sequence, _packed(small), _packed(large)))

    def total(self, tick: int) -> Counts:
        """Return the sum over pods and epochs; without reports, counts of zero."""
        small, large = np.zeros(self._small, np.int64), np.zeros(self._large, np.int64)
        for epochs in self._ticks.get(tick, {}).values():
            for one in epochs.values():
                small += one.small
                large += one.large
        return self._counts(small, large)

    def take(self, tick: int) -> Counts:
        """Return the sum of a tick, and forget the tick."""
        counts = self.total(tick)
        self.nbytes -= sum(one.nbytes for epochs in self._ticks.pop(tick, {}).values() for one in epochs.values())
        return counts

    def restore(self, tick: int, key: FoldKey, sequence: int, small: bytes, large: bytes) -> None:
        """Put stored counts back; raise StateError if they do not have the size of the profile."""
        self._put(tick, key, PodCounts(sequence, _unpacked(small, self._small), _unpacked(large, self._large)))

    def _put(self, tick: int, key: FoldKey, counts: PodCounts) -> None:
        epochs = self._ticks.setdefault(tick, {}).setdefault(key.pod, {})
        self.nbytes += counts.nbytes - (epochs[key.epoch].nbytes if key.epoch in epochs else 0)
        epochs[key.epoch] = counts

    def _counts(self, small: Ints, large: Ints) -> Counts:
        bins, features = self._profile.n_bins, len(self._profile.features)
        bin_counts, mismatches, absent = np.split(small, [bins, bins + features])
        rows = {f"{side}_rows": int(value) for side, value in zip(SIDES, large[2 * features :], strict=True)}
        excess = large[: 2 * features].reshape(-1, 2)
        return Counts(self._profile.hash, bin_counts, mismatches, absent, excess, **rows)


def _flat(counts: Counts) -> tuple[Ints, Ints]:
    rows = [counts.rows(side) for side in SIDES]
    small = np.concatenate([counts.bin_counts, counts.mismatches, counts.absent])
    return small, np.concatenate([counts.excess.ravel(), rows])


def _packed(values: Ints) -> Array:
    largest = int(values.max(initial=0))
    return values.astype(next(kind for kind in _TYPES if largest <= np.iinfo(kind).max))


def _unpacked(stored: bytes, size: int) -> Array:
    found = next((kind for kind in _TYPES if len(stored) == size * kind.itemsize), None)
    if found is None:
        raise StateError(f"the stored counts have {len(stored)} bytes for {size} values; start without them")
    return np.frombuffer(stored, found)
