"""Integer counts per feature and bin: the only summary that detection needs.

`TickCounts` runs in every pod; `Counts` leave the pod and are added up. Counting must never raise, whatever the values
are, and must give the same integers however rows are divided among batches and pods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..batch import SIDES, Batch, Column, Family, Ints, Side
from ..binning.categories import CategoryBins
from ..binning.numeric import NumericBins, to_floats
from ..cells import with_missing_words, with_numeric_truths
from ..columns.inference import category_texts
from ..columns.joining import aligned, approximate_bytes, concatenated_by_type, times
from ..errors import CountsMismatchError, StateError, shown
from ..profile.profile import Profile
from ..transforms import LARGE_VALUE_KINDS, Block, countable_rows, sampled_rows

BLOCK_ROWS = 1024  # small batches wait until this number of rows can be encoded together,
BLOCK_BYTES = 4 * 1024 * 1024  # or until texts and arrays have this size
STATE_VERSION = 2


@dataclass(frozen=True)
class Counts:
    """The counts of one tick.

    Attributes:
        profile_hash: the profile that the bins belong to.
        bin_counts: int64 [profile.n_bins].
        mismatches: int64 [features], values whose type differs from the feature's type.
        absent: int64 [features], rows of its side without the column; they are in no bin.
        excess: int64 [features, 2], how far the rows lie below and above the range; see `NumericBins.excess`.
        input_rows, prediction_rows, label_rows: rows of each side.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Batch
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.summaries.counts import TickCounts
        >>> profile = build_profile({"city": ["Rome"] * 30 + ["Bern"] * 10}, exchangeable=True)
        >>> pods = TickCounts(profile), TickCounts(profile)
        >>> pods[0].add(Batch({"city": ["Rome", "Oslo"]}, 2))
        >>> pods[1].add(Batch({"city": ["Rome", None]}, 2))
        >>> total = pods[0].take() + pods[1].take()
        >>> dict(zip(profile.feature("city").labels, total.of(profile, "city").tolist()))
        {'Rome': 2, 'Bern': 0, 'unseen': 1, 'missing': 1}
    """

    profile_hash: str
    bin_counts: Ints
    mismatches: Ints
    absent: Ints
    excess: Ints
    input_rows: int
    prediction_rows: int
    label_rows: int = 0

    @classmethod
    def empty(cls, profile: Profile) -> Counts:
        features = len(profile.features)
        bin_counts, mismatches, absent = (np.zeros(size, np.int64) for size in (profile.n_bins, features, features))
        return cls(profile.hash, bin_counts, mismatches, absent, np.zeros((features, 2), np.int64), 0, 0)

    def __add__(self, other: Counts) -> Counts:
        self._same_profile(other)
        return Counts(
            self.profile_hash,
            self.bin_counts + other.bin_counts,
            self.mismatches + other.mismatches,
            self.absent + other.absent,
            self.excess + other.excess,
            self.input_rows + other.input_rows,
            self.prediction_rows + other.prediction_rows,
            self.label_rows + other.label_rows,
        )

    def maximum(self, other: Counts) -> Counts:
        """Return the later of two cumulative reports of the same pod and tick, whichever comes first."""
        self._same_profile(other)
        return Counts(
            self.profile_hash,
            np.maximum(self.bin_counts, other.bin_counts),
            np.maximum(self.mismatches, other.mismatches),
            np.maximum(self.absent, other.absent),
            np.maximum(self.excess, other.excess),
            max(self.input_rows, other.input_rows),
            max(self.prediction_rows, other.prediction_rows),
            max(self.label_rows, other.label_rows),
        )

    def rows(self, side: Side) -> int:
        """Return the rows of a side."""
        return {"input": self.input_rows, "prediction": self.prediction_rows, "label": self.label_rows}[side]

    def of(self, profile: Profile, name: str) -> Ints:
        """Return the counts of one feature, int64 [bins of the feature]."""
        position = profile.index[name]
        return self.bin_counts[profile.offsets[position] : profile.offsets[position + 1]]

    def state(self) -> dict[str, Any]:
        return {
            "absent": self.absent.astype("<i8").tobytes(),
            "cells": self.bin_counts.astype("<i8").tobytes(),
            "excess": self.excess.astype("<i8").tobytes(),
            "input_rows": self.input_rows,
            "label_rows": self.label_rows,
            "mismatches": self.mismatches.astype("<i8").tobytes(),
            "prediction_rows": self.prediction_rows,
            "profile_hash": self.profile_hash,
            "version": STATE_VERSION,
        }

    @classmethod
    def from_state(cls, profile: Profile, state: Mapping[str, Any]) -> Counts:
        """Return the counts of a state.

        Raises:
            StateError: the state has another version or shape.
            CountsMismatchError: it belongs to another profile.
        """
        if state.get("version") != STATE_VERSION:
            raise StateError(
                f"the stored counts have version {shown(state.get('version'))}, not {STATE_VERSION}; start without them"
            )
        if state["profile_hash"] != profile.hash:
            raise CountsMismatchError(_two_profiles(state["profile_hash"], profile.hash))
        features = len(profile.features)
        stored = {"excess": bytes(16 * features), **state}  # earlier releases did not count it
        bin_counts, mismatches, absent, excess = (
            np.frombuffer(stored[key], dtype="<i8").astype(np.int64)
            for key in ("cells", "mismatches", "absent", "excess")
        )
        sizes = len(bin_counts), len(mismatches), len(absent), len(excess)
        if sizes != (profile.n_bins, features, features, 2 * features):
            raise StateError(
                f"the stored counts have {len(bin_counts)} bins of {len(mismatches)} features, but the profile has "
                f"{profile.n_bins} bins of {features}; start without them"
            )
        rows = (int(state[key]) for key in ("input_rows", "prediction_rows", "label_rows"))
        return cls(profile.hash, bin_counts, mismatches, absent, excess.reshape(-1, 2), *rows)

    def _same_profile(self, other: Counts) -> None:
        if self.profile_hash != other.profile_hash:
            raise CountsMismatchError(_two_profiles(self.profile_hash, other.profile_hash))


def _two_profiles(one: str, other: str) -> str:
    return f"cannot combine counts of profile {one!r} with counts of profile {other!r}; discard the outdated ones"


def _countable(family: Family, column: Column) -> Column:
    """Return the rows of a derived column for which it is defined."""
    kept = countable_rows(family, column)
    return column if kept is None else column.take(kept)


class TickCounts:
    """A counter of the rows of the open tick."""

    def __init__(self, profile: Profile, on_unseen: Callable[[str, list[str]], None] | None = None) -> None:
        """Count against a profile; `on_unseen` is called with a feature's name and its unseen values."""
        self._profile = profile
        self._words = frozenset(profile.missing_words)
        self._text_numbers = frozenset(profile.text_numbers)
        self._on_unseen = on_unseen
        self._counts = Counts.empty(profile)
        self._waiting: dict[Side, list[Batch]] = {side: [] for side in SIDES}
        self._waiting_rows: dict[Side, int] = dict.fromkeys(SIDES, 0)
        self._rows: dict[Side, int] = dict.fromkeys(SIDES, 0)
        self._encoded: dict[Side, int] = dict.fromkeys(SIDES, 0)
        self._read = {
            side: dict.fromkeys(name for t in profile.transforms if t.side == side for name in t.inputs)
            for side in SIDES
        }
        self._bulky = {
            side: dict.fromkeys(
                t.inputs[0] for t in profile.transforms if t.side == side and t.kind in LARGE_VALUE_KINDS
            )
            for side in SIDES
        }
        self._waiting_bytes: dict[Side, int] = dict.fromkeys(SIDES, 0)
        self._transforms = {side: [t for t in profile.transforms if t.side == side] for side in SIDES}
        self._features = {
            side: [(position, feature) for position, feature in enumerate(profile.features) if feature.side == side]
            for side in SIDES
        }

    def rows(self, side: Side) -> int:
        """Return the rows of a side since the last `take`."""
        return self._rows[side]

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch. The batch must not be changed before the next `take`."""
        side = batch.side
        self._waiting[side].append(batch)
        self._waiting_rows[side] += batch.rows
        self._rows[side] += batch.rows
        for name in self._bulky[side]:
            if name in batch.columns:
                self._waiting_bytes[side] += approximate_bytes(batch.columns[name])
        if self._waiting_rows[side] >= BLOCK_ROWS or self._waiting_bytes[side] >= BLOCK_BYTES:
            self._encode(side)

    def take(self) -> Counts:
        """Return the counts since the last call, and start from zero."""
        for side in SIDES:
            self._encode(side)
        taken, self._counts = self._counts, Counts.empty(self._profile)
        rows, self._rows = self._rows, dict.fromkeys(SIDES, 0)
        return replace(taken, input_rows=rows["input"], prediction_rows=rows["prediction"], label_rows=rows["label"])

    def _encode(self, side: Side) -> None:
        batches, rows = self._waiting[side], self._waiting_rows[side]
        self._waiting[side], self._waiting_rows[side], self._waiting_bytes[side] = [], 0, 0
        if not rows:
            return
        whole: dict[str, Column] = {}
        for position, feature in self._features[side]:
            if feature.name not in self._profile.derived:
                self._count_plain(position, feature.name, batches, whole)
        for name in self._read[side]:
            if name not in whole:
                whole[name] = with_missing_words(aligned(batches, name), self._words)
        made = self._made(side, Block(whole, rows, times(batches) if whole else None))
        self._encoded[side] += rows
        for position, feature in self._features[side]:
            if feature.name in made:
                self._count(position, [_countable(feature.family, made[feature.name])])

    def _count_plain(self, position: int, name: str, batches: list[Batch], whole: dict[str, Column]) -> None:
        """Count a column as it was sent, and keep it in `whole` if transforms read it and it has all rows in order."""
        feature = self._profile.features[position]
        columns, absent = concatenated_by_type(batches, name)
        self._counts.absent[position] += absent
        columns = [with_missing_words(column, self._words) for column in columns]
        if isinstance(feature.bins, NumericBins):
            columns = [self._numbers(position, feature.bins, column) for column in columns]
        if name in self._read[feature.side] and len(columns) == 1 and not absent:
            whole[name] = columns[0]
        self._count(position, columns)

    def _numbers(self, position: int, bins: NumericBins, column: Column) -> Column:
        """Return a column of objects or texts as numbers, parsed once; count the values of another type."""
        if column.values.dtype.kind not in "OUS" or column.values.ndim > 1:
            return column
        if bins.binary:
            column = with_numeric_truths(column)
        name = self._profile.features[position].name
        values, mismatches = to_floats(column, text_numbers=name in self._text_numbers)
        self._counts.mismatches[position] += mismatches
        return Column(values)

    def _made(self, side: Side, whole: Block) -> dict[str, Column]:
        """Return the columns that transforms derive from a block."""
        made: dict[str, Column] = {}
        transforms, rows = self._transforms[side], whole.rows
        for transform in transforms:
            block = whole
            if transform.share < 1:
                block = whole.take(sampled_rows(self._encoded[side], rows, transform.share))
            made.update(transform.apply(block.of(transform.inputs)))
        return made

    def _count(self, position: int, columns: list[Column]) -> None:
        feature = self._profile.features[position]
        bins = feature.bins
        first, last = self._profile.offsets[position], self._profile.offsets[position + 1]
        for column in columns:
            bin_ids, mismatches = bins.digitize(column)
            found = np.bincount(bin_ids, minlength=bins.size)
            self._counts.bin_counts[first:last] += found
            if isinstance(bins, NumericBins) and found[1] + found[2] + found[-4] + found[-3]:  # outside the range
                self._counts.excess[position] += bins.excess(column, bin_ids)
            self._counts.mismatches[position] += mismatches
            if self._on_unseen is not None and isinstance(bins, CategoryBins):
                unseen = np.flatnonzero(bin_ids == bins.size - 2)
                if len(unseen):
                    self._on_unseen(feature.name, category_texts(column.take(unseen)))
