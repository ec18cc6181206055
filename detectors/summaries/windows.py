"""Windows: the past as integer counts, by tick, hour and day.

tick t-59 ... t    the last 60 closed ticks with rows, one window each
24 hours           older ticks, added up by the hour in which they began
14 days            older hours, added up by day

A closed tick is in exactly one window, so windows add up. With longer ticks, windows are longer: for ticks of an hour
there are days and weeks, for ticks of a day weeks and four weeks. Counts are stored in the smallest unsigned type that
holds them, without loss. A feature of 50 bins takes at most 22 KiB while no bin of a window has 2^32 rows, and a
quarter of that in usual traffic.
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
    """Windows of one width, in ticks, and the number of them that are kept."""

    ticks: int
    kept: int


@dataclass(frozen=True)
class WindowSum:
    """The counts of `ticks` closed ticks between the ticks `first` and `last`."""

    first: int
    last: int
    ticks: int
    counts: Counts


@dataclass(frozen=True)
class Window:
    """Packed counts of one part of the past; immutable.

    Attributes:
        first, last: first and last tick.
        ticks: number of closed ticks.
        bin_counts: [profile.n_bins], in the smallest unsigned type that holds them.
        mismatches, absent, excess: [features] and [features, 2], as above.
        rows: of each side.
        peaks: by family, the largest log evidence ratio at the end of any of its ticks.
    """

    first: int
    last: int
    ticks: int
    bin_counts: Array
    mismatches: Array
    absent: Array
    excess: Array
    rows: Mapping[Side, int]
    peaks: Mapping[str, float]

    @classmethod
    def of(cls, piece: WindowSum, peaks: Mapping[str, float]) -> Window:
        counts = piece.counts
        parts = (counts.bin_counts, counts.mismatches, counts.absent, counts.excess)
        bin_counts, mismatches, absent, excess = map(_packed, parts)
        rows = {side: counts.rows(side) for side in SIDES}
        return cls(piece.first, piece.last, piece.ticks, bin_counts, mismatches, absent, excess, rows, dict(peaks))

    @property
    def nbytes(self) -> int:
        """Size of the counts in bytes."""
        return self.bin_counts.nbytes + self.mismatches.nbytes + self.absent.nbytes + self.excess.nbytes

    def state(self) -> dict[str, Any]:
        return {
            "absent": self.absent.tobytes(),
            "cells": self.bin_counts.tobytes(),
            "excess": self.excess.tobytes(),
            "first": self.first,
            "last": self.last,
            "mismatches": self.mismatches.tobytes(),
            "peaks": dict(self.peaks),
            "rows": dict(self.rows),
            "ticks": self.ticks,
        }

    @classmethod
    def from_state(cls, profile: Profile, state: Mapping[str, Any]) -> Window:
        """Return the window of a state.

        Raises:
            StateError: the arrays do not have the profile's size.
        """
        features = len(profile.features)
        sizes = {"cells": profile.n_bins, "mismatches": features, "absent": features, "excess": 2 * features}
        stored = {"excess": bytes(2 * features), **state}  # earlier releases did not count it
        bin_counts, mismatches, absent, excess = (_unpacked(stored[name], size, name) for name, size in sizes.items())
        rows = {side: int(state["rows"][side]) for side in SIDES}
        peaks = {str(family): float(peak) for family, peak in state["peaks"].items()}
        first, last, ticks = (int(state[name]) for name in ("first", "last", "ticks"))
        return cls(first, last, ticks, bin_counts, mismatches, absent, excess.reshape(-1, 2), rows, peaks)


class Windows:
    """The windows of one profile: a deterministic function of the closed ticks. `levels` go from short to long.

    Example:
        >>> from dataclasses import replace
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import Counts
        >>> from pilotfish.detectors.summaries.windows import Windows, window_levels
        >>> profile = build_profile({"x": [1, 2] * 50}, exchangeable=True)
        >>> windows = Windows(profile, window_levels(tick_seconds=60.0))
        >>> for tick in range(130):
        ...     windows.add(tick, replace(Counts.empty(profile), input_rows=10))
        >>> [(window.first, window.ticks) for window in windows if window.ticks > 1]
        [(0, 60), (60, 10)]
        >>> windows.since(100).counts.input_rows
        300
    """

    def __init__(self, profile: Profile, levels: Sequence[WindowLevel]) -> None:
        self._profile = profile
        self._levels = tuple(levels)
        self._kept: list[list[Window]] = [[] for _ in levels]
        self._sums: dict[tuple[int, int], WindowSum] = {}

    def __iter__(self) -> Iterator[Window]:
        """Iterate from the oldest window to the newest."""
        for kept in reversed(self._kept):
            yield from kept

    @property
    def newest(self) -> Window | None:
        """The window with the last closed tick."""
        return self._kept[0][-1] if self._kept[0] else None

    def add(self, tick: int, counts: Counts) -> None:
        """Add a closed tick, which must come after all others."""
        self.absorb(Window.of(WindowSum(tick, tick, 1, counts), {}))

    def record_peaks(self, peaks: Mapping[str, float]) -> None:
        """Record the evidence of each family at the end of the last closed tick."""
        newest = self._kept[0][-1]
        self._kept[0][-1] = replace(newest, peaks=_larger(newest.peaks, peaks))

    def absorb(self, window: Window) -> None:
        """Add a window that comes after all others."""
        self._sums.clear()
        self._append(0, window)

    def since(self, tick: int) -> WindowSum | None:
        """Return the sum of the windows whose middle is at a tick or later; None before that tick."""
        newest = self.newest
        if newest is None or newest.last < tick:
            return None
        return self._sum([window for window in self if window.first + window.last >= 2 * tick] or [newest])

    def between(self, first: int, last: int) -> WindowSum | None:
        """Return the sum of the windows whose middle is between two ticks, both included; None if there is none."""
        return self._sum([window for window in self if 2 * first <= window.first + window.last <= 2 * last])

    def latest(self, ticks: int) -> WindowSum | None:
        """Return the sum of the latest windows: the fewest that hold `ticks` closed ticks, or all of them."""
        chosen: list[Window] = []
        for window in reversed(list(self)):
            if sum(one.ticks for one in chosen) >= ticks:
                break
            chosen.insert(0, window)
        return self._sum(chosen)

    def state(self) -> dict[str, Any]:
        """Return plain values and bytes."""
        return {"levels": [[window.state() for window in kept] for kept in self._kept], "version": STATE_VERSION}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state.

        Raises:
            StateError: the state has another version, other levels or another profile, or is out of order.
        """
        if state.get("version") != STATE_VERSION:
            found = shown(state.get("version"))
            raise StateError(f"the stored windows have version {found}, not {STATE_VERSION}; start without them")
        kept = [[Window.from_state(self._profile, window) for window in level] for level in state["levels"]]
        if len(kept) != len(self._levels) or any(
            len(found) > level.kept for found, level in zip(kept, self._levels, strict=True)
        ):
            sizes, most = [len(found) for found in kept], [level.kept for level in self._levels]
            raise StateError(
                f"the stored windows have the sizes {shown(sizes)}, but {most} fit at most; start without them"
            )
        flat = [window for level in reversed(kept) for window in level]
        if any(window.last < window.first for window in flat) or any(
            later.first <= earlier.last for earlier, later in pairwise(flat)
        ):
            raise StateError("the stored windows are out of order; start without them")
        self._kept = kept
        self._sums.clear()

    def snapshot(self) -> tuple[Window, ...]:
        """Return all windows, oldest first. They never change."""
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
            if len(self._sums) >= SUMS_KEPT:  # each has the size of a tick's counts
                self._sums.clear()
            self._sums[key] = sum_windows(self._profile, windows)
        return self._sums[key]


def window_levels(tick_seconds: float) -> tuple[WindowLevel, ...]:
    """Return the levels for ticks of this length: 60 ticks, and the next two of hours, days, weeks and four weeks."""
    widths = [round(length / tick_seconds) for length in (HOUR, DAY, WEEK, 4 * WEEK)]
    coarser = [width for width in widths if width > 1][: len(COARSER_KEPT)]
    return (
        WindowLevel(1, TICKS_KEPT),
        *(WindowLevel(width, kept) for width, kept in zip(coarser, COARSER_KEPT, strict=False)),
    )


def sum_windows(profile: Profile, windows: Sequence[Window]) -> WindowSum:
    """Return the sum of consecutive windows, at least one."""
    features = len(profile.features)
    sizes: tuple[int | tuple[int, int], ...] = (profile.n_bins, features, features, (features, 2))
    bin_counts, mismatches, absent, excess = (np.zeros(size, np.int64) for size in sizes)
    for window in windows:
        bin_counts += window.bin_counts
        mismatches += window.mismatches
        absent += window.absent
        excess += window.excess
    rows = {f"{side}_rows": sum(window.rows[side] for window in windows) for side in SIDES}
    counts = Counts(profile.hash, bin_counts, mismatches, absent, excess, **rows)
    return WindowSum(windows[0].first, windows[-1].last, sum(window.ticks for window in windows), counts)


def merged_window(profile: Profile, windows: Sequence[Window]) -> Window:
    """Return consecutive windows, at least one, as one window."""
    peaks: Mapping[str, float] = {}
    for window in windows:
        peaks = _larger(peaks, window.peaks)
    return Window.of(sum_windows(profile, windows), peaks)


def _larger(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, -np.inf), other.get(name, -np.inf)) for name in {**one, **other}}


def _packed(values: Ints) -> Array:
    top = int(values.max(initial=0))
    fitting = next(kind for kind in _TYPES if top <= np.iinfo(kind).max)
    return np.frombuffer(values.astype(fitting).tobytes(), fitting).reshape(values.shape)


def _unpacked(raw: bytes, size: int, name: str) -> Array:
    found = next((kind for kind in _TYPES if len(raw) == size * kind.itemsize), None)
    if found is None:
        raise StateError(
            f"the stored windows hold {len(raw)} bytes of {name}, which are not {size} counts; start without them"
        )
    return np.frombuffer(raw, found)
