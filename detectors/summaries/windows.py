"""The past in windows: the latest ticks one by one, then hours, then days, as integer counts.

    tick t-59 ... t    the last 60 closed ticks with rows
    24 hours           ticks that have left the ring above, added up by the hour that they began in
    14 days            hours that have left theirs, added up by day

A closed tick is in exactly one window, so windows add up. Where ticks are longer, so are the windows: of ticks of an
hour there are days and weeks, of ticks of a day weeks and four weeks. Counts are kept in the smallest unsigned type
that holds them, which changes nothing about them: a feature of 50 cells takes 20 KiB at most while no cell of a window
has 2^32 rows, and a fifth of that in common traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..batch import SIDES, Array, Ints, Side
from ..errors import StateError, shown
from ..profile.profile import Profile
from .counts import Counts

HOUR, DAY, WEEK = 3600.0, 86_400.0, 604_800.0
TICKS_KEPT, COARSER_KEPT = 60, (24, 14)
SUMS_KEPT = 16
STATE_VERSION = 1
_TYPES = tuple(np.dtype(name) for name in ("<u1", "<u2", "<u4", "<i8"))


@dataclass(frozen=True)
class WindowLevel:
    """Windows of one width, in ticks, and how many of them are kept."""

    ticks: int
    kept: int


@dataclass(frozen=True)
class WindowSum:
    """The counts of `ticks` closed ticks, which lie between the ticks `first` and `last`."""

    first: int
    last: int
    ticks: int
    counts: Counts


@dataclass(frozen=True)
class Window:
    """A piece of the past, packed; immutable.

    Attributes:
        cells: [profile.cells]; mismatches, absent: [features]; all of the smallest unsigned type that holds them.
        rows: of each side.
        peaks: by family, the largest evidence at the end of any of its ticks, as the log of its ratio to the threshold.
    """

    first: int
    last: int
    ticks: int
    bin_counts: Array
    mismatches: Array
    absent: Array
    rows: Mapping[Side, int]
    peaks: Mapping[str, float]

    @classmethod
    def of(cls, piece: WindowSum, peaks: Mapping[str, float]) -> Window:
        counts = piece.counts
        bin_counts, mismatches, absent = (
            _packed(part) for part in (counts.bin_counts, counts.mismatches, counts.absent)
        )
        rows = {side: counts.rows(side) for side in SIDES}
        return cls(piece.first, piece.last, piece.ticks, bin_counts, mismatches, absent, rows, dict(peaks))

    @property
    def nbytes(self) -> int:
        """Bytes of its counts."""
        return self.bin_counts.nbytes + self.mismatches.nbytes + self.absent.nbytes

    def state(self) -> dict[str, Any]:
        return {
            "absent": self.absent.tobytes(),
            "cells": self.bin_counts.tobytes(),
            "first": self.first,
            "last": self.last,
            "mismatches": self.mismatches.tobytes(),
            "peaks": dict(self.peaks),
            "rows": dict(self.rows),
            "ticks": self.ticks,
        }

    @classmethod
    def from_state(cls, profile: Profile, state: Mapping[str, Any]) -> Window:
        """StateError if the arrays are not of the profile's size."""
        features = len(profile.features)
        sizes = {"cells": profile.n_bins, "mismatches": features, "absent": features}
        bin_counts, mismatches, absent = (_unpacked(state[name], size, name) for name, size in sizes.items())
        rows = {side: int(state["rows"][side]) for side in SIDES}
        peaks = {str(family): float(peak) for family, peak in state["peaks"].items()}
        first, last, ticks = (int(state[name]) for name in ("first", "last", "ticks"))
        return cls(first, last, ticks, bin_counts, mismatches, absent, rows, peaks)


class Windows:
    """The windows of one profile, a deterministic function of the closed ticks. `levels` go from short to long."""

    def __init__(self, profile: Profile, levels: Sequence[WindowLevel]) -> None:
        self._profile = profile
        self._levels = tuple(levels)
        self._kept: list[list[Window]] = [[] for _ in levels]
        self._sums: dict[tuple[int, int], WindowSum] = {}

    def __iter__(self) -> Iterator[Window]:
        """Oldest first."""
        for kept in reversed(self._kept):
            yield from kept

    @property
    def newest(self) -> Window | None:
        """The window with the last closed tick."""
        return self._kept[0][-1] if self._kept[0] else None

    def add(self, tick: int, counts: Counts) -> None:
        """Take in a closed tick, which must come after all before."""
        self.absorb(Window.of(WindowSum(tick, tick, 1, counts), {}))

    def record_peaks(self, peaks: Mapping[str, float]) -> None:
        """Note how large each family's evidence is at the end of the last closed tick."""
        newest = self._kept[0][-1]
        self._kept[0][-1] = replace(newest, peaks=_larger(newest.peaks, peaks))

    def absorb(self, window: Window) -> None:
        """Take in a window that comes after all others."""
        self._sums.clear()
        self._append(0, window)

    def since(self, tick: int) -> WindowSum | None:
        """What came since a tick: from whichever window has its middle there or later; None before that tick."""
        newest = self.newest
        if newest is None or newest.last < tick:
            return None
        return self._sum([window for window in self if window.first + window.last >= 2 * tick] or [newest])

    def between(self, first: int, last: int) -> WindowSum | None:
        """The windows with their middle between two ticks, both included; None if there is none."""
        return self._sum([window for window in self if 2 * first <= window.first + window.last <= 2 * last])

    def latest(self, ticks: int) -> WindowSum | None:
        """The shortest stretch of whole windows with so many closed ticks, or all there is."""
        chosen: list[Window] = []
        for window in reversed(list(self)):
            if sum(one.ticks for one in chosen) >= ticks:
                break
            chosen.insert(0, window)
        return self._sum(chosen)

    def state(self) -> dict[str, Any]:
        """Plain values and bytes."""
        return {"levels": [[window.state() for window in kept] for kept in self._kept], "version": STATE_VERSION}

    def restore(self, state: Mapping[str, Any]) -> None:
        """StateError if the state is of another version, other levels or another profile, or out of order."""
        if state.get("version") != STATE_VERSION:
            raise StateError(
                f"the stored windows are of version {shown(state.get('version'))}, not {STATE_VERSION}; start afresh"
            )
        kept = [[Window.from_state(self._profile, window) for window in level] for level in state["levels"]]
        if len(kept) != len(self._levels) or any(
            len(found) > level.kept for found, level in zip(kept, self._levels, strict=True)
        ):
            sizes, most = [len(found) for found in kept], [level.kept for level in self._levels]
            raise StateError(f"the stored windows are {shown(sizes)}, where {most} fit at most; start without them")
        flat = [window for level in reversed(kept) for window in level]
        if any(window.last < window.first for window in flat) or any(
            later.first <= earlier.last for earlier, later in pairwise(flat)
        ):
            raise StateError("the stored windows are out of order; start without them")
        self._kept = kept
        self._sums.clear()

    def snapshot(self) -> tuple[Window, ...]:
        """All windows, oldest first; they never change."""
        return tuple(self)

    def _append(self, depth: int, window: Window) -> None:
        level, kept = self._levels[depth], self._kept[depth]
        if kept and kept[-1].first // level.ticks == window.first // level.ticks:
            kept[-1] = merged_window(self._profile, [kept[-1], window])
            return
        kept.append(window)
        if len(kept) > level.kept:
            oldest = kept.pop(0)
            if depth + 1 < len(self._levels):
                self._append(depth + 1, oldest)

    def _sum(self, windows: list[Window]) -> WindowSum | None:
        if not windows:
            return None
        key = windows[0].first, windows[-1].last
        if key not in self._sums:
            if len(self._sums) >= SUMS_KEPT:  # each is as large as the counts of a tick
                self._sums.clear()
            self._sums[key] = sum_windows(self._profile, windows)
        return self._sums[key]


def window_levels(tick_seconds: float) -> tuple[WindowLevel, ...]:
    """The levels for ticks of this length: 60 ticks, and the next two of hours, days, weeks and four weeks."""
    widths = [round(length / tick_seconds) for length in (HOUR, DAY, WEEK, 4 * WEEK)]
    coarser = [width for width in widths if width > 1][: len(COARSER_KEPT)]
    return (
        WindowLevel(1, TICKS_KEPT),
        *(WindowLevel(width, kept) for width, kept in zip(coarser, COARSER_KEPT, strict=False)),
    )


def sum_windows(profile: Profile, windows: Sequence[Window]) -> WindowSum:
    """Windows that follow each other (at least one), as one piece."""
    bin_counts, mismatches, absent = (
        np.zeros(size, np.int64) for size in (profile.n_bins, len(profile.features), len(profile.features))
    )
    for window in windows:
        bin_counts += window.bin_counts
        mismatches += window.mismatches
        absent += window.absent
    rows = {f"{side}_rows": sum(window.rows[side] for window in windows) for side in SIDES}
    counts = Counts(profile.hash, bin_counts, mismatches, absent, **rows)
    return WindowSum(windows[0].first, windows[-1].last, sum(window.ticks for window in windows), counts)


def merged_window(profile: Profile, windows: Sequence[Window]) -> Window:
    """Windows that follow each other (at least one), as one window."""
    peaks: Mapping[str, float] = {}
    for window in windows:
        peaks = _larger(peaks, window.peaks)
    return Window.of(sum_windows(profile, windows), peaks)


def _larger(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, -np.inf), other.get(name, -np.inf)) for name in {**one, **other}}


def _packed(values: Ints) -> Array:
    top = int(values.max(initial=0))
    fitting = next(kind for kind in _TYPES if top <= np.iinfo(kind).max)
    return np.frombuffer(values.astype(fitting).tobytes(), fitting)


def _unpacked(raw: bytes, size: int, name: str) -> Array:
    found = next((kind for kind in _TYPES if len(raw) == size * kind.itemsize), None)
    if found is None:
        raise StateError(f"{len(raw)} bytes of {name} in the stored windows do not hold {size} counts; start afresh")
    return np.frombuffer(raw, found)
