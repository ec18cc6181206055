"""Integer counts per feature and cell: the only summary that detection needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch, Bools, Column, Ints, Side, as_column
from pilotfish.detectors.errors import CountsMismatchError, StateError, shown
from pilotfish.detectors.profile import Profile

BLOCK_ROWS = 1024  # small batches wait until there are so many rows to encode at once
STATE_VERSION = 1


@dataclass(frozen=True)
class Counts:
    """What one tick saw.

    Attributes:
        profile_hash: whose cells these are.
        cells: int64 [profile.cells].
        mismatches: int64 [features], values of another type than the feature's.
        absent: int64 [features], rows of its side that had no such column; they are in no cell.
        input_rows, prediction_rows: rows of each side.
    """

    profile_hash: str
    cells: Ints
    mismatches: Ints
    absent: Ints
    input_rows: int
    prediction_rows: int

    @classmethod
    def empty(cls, profile: Profile) -> Counts:
        features = len(profile.features)
        cells, mismatches, absent = (np.zeros(size, np.int64) for size in (profile.cells, features, features))
        return cls(profile.hash, cells, mismatches, absent, 0, 0)

    def __add__(self, other: Counts) -> Counts:
        self._same_profile(other)
        return Counts(
            self.profile_hash,
            self.cells + other.cells,
            self.mismatches + other.mismatches,
            self.absent + other.absent,
            self.input_rows + other.input_rows,
            self.prediction_rows + other.prediction_rows,
        )

    def maximum(self, other: Counts) -> Counts:
        """Of two cumulative reports of the same pod and tick, what the later one says."""
        self._same_profile(other)
        return Counts(
            self.profile_hash,
            np.maximum(self.cells, other.cells),
            np.maximum(self.mismatches, other.mismatches),
            np.maximum(self.absent, other.absent),
            max(self.input_rows, other.input_rows),
            max(self.prediction_rows, other.prediction_rows),
        )

    def of(self, profile: Profile, name: str) -> Ints:
        """int64 [cells of the feature]."""
        position = profile.index[name]
        return self.cells[profile.offsets[position] : profile.offsets[position + 1]]

    def state(self) -> dict[str, Any]:
        return {
            "absent": self.absent.astype("<i8").tobytes(),
            "cells": self.cells.astype("<i8").tobytes(),
            "input_rows": self.input_rows,
            "mismatches": self.mismatches.astype("<i8").tobytes(),
            "prediction_rows": self.prediction_rows,
            "profile_hash": self.profile_hash,
            "version": STATE_VERSION,
        }

    @classmethod
    def from_state(cls, profile: Profile, state: Mapping[str, Any]) -> Counts:
        """StateError if the state is of another version, shape or profile."""
        if state.get("version") != STATE_VERSION:
            raise StateError(
                f"the counts' state has version {shown(state.get('version'))}, not {STATE_VERSION}; start afresh"
            )
        if state["profile_hash"] != profile.hash:
            raise CountsMismatchError(_two_profiles(state["profile_hash"], profile.hash))
        cells, mismatches, absent = (
            np.frombuffer(state[key], dtype="<i8").astype(np.int64) for key in ("cells", "mismatches", "absent")
        )
        if (len(cells), len(mismatches), len(absent)) != (profile.cells, *[len(profile.features)] * 2):
            raise StateError(
                f"the counts' state has {len(cells)} cells of {len(mismatches)} features, the profile "
                f"{profile.cells} of {len(profile.features)}; start afresh"
            )
        return cls(profile.hash, cells, mismatches, absent, int(state["input_rows"]), int(state["prediction_rows"]))

    def _same_profile(self, other: Counts) -> None:
        if self.profile_hash != other.profile_hash:
            raise CountsMismatchError(_two_profiles(self.profile_hash, other.profile_hash))


def _two_profiles(one: str, other: str) -> str:
    return f"counts of profile {one!r} and of profile {other!r} do not add up; drop those of the profile not in force"


class TickCounts:
    """Counts the rows of the open tick. Nothing in the values of a batch can make it raise."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._counts = Counts.empty(profile)
        self._waiting: dict[Side, list[Batch]] = {"input": [], "prediction": []}
        self._waiting_rows: dict[Side, int] = {"input": 0, "prediction": 0}
        self._rows: dict[Side, int] = {"input": 0, "prediction": 0}

    @property
    def rows(self) -> int:
        """Input rows since the last `take`."""
        return self._rows["input"]

    @property
    def prediction_rows(self) -> int:
        """Prediction rows since the last `take`."""
        return self._rows["prediction"]

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch. The batch must not be changed before the next `take`."""
        side = batch.side
        self._waiting[side].append(batch)
        self._waiting_rows[side] += batch.rows
        self._rows[side] += batch.rows
        if self._waiting_rows[side] >= BLOCK_ROWS:
            self._encode(side)

    def take(self) -> Counts:
        """The counts since the last call; counting starts afresh."""
        self._encode("input")
        self._encode("prediction")
        taken, self._counts = self._counts, Counts.empty(self._profile)
        rows, self._rows = self._rows, {"input": 0, "prediction": 0}
        return replace(taken, input_rows=rows["input"], prediction_rows=rows["prediction"])

    def _encode(self, side: Side) -> None:
        batches, rows = self._waiting[side], self._waiting_rows[side]
        self._waiting[side], self._waiting_rows[side] = [], 0
        if not rows:
            return
        offsets = self._profile.offsets
        for position, feature in enumerate(self._profile.features):
            if feature.side != side:
                continue
            first, last = offsets[position], offsets[position + 1]
            columns, absent = _joined(batches, feature.name)
            self._counts.absent[position] += absent
            for column in columns:
                cells, mismatches = feature.bins.cells_of(column)
                self._counts.cells[first:last] += np.bincount(cells, minlength=feature.bins.size)
                self._counts.mismatches[position] += mismatches


def _joined(batches: list[Batch], name: str) -> tuple[list[Column], int]:
    """One column of all lists, one of the arrays of each type (so that no value changes its type), and rows without."""
    listed: list[Any] = []
    by_type: dict[str, list[Column]] = {}
    absent = 0
    for batch in batches:
        data = batch.columns.get(name)
        if type(data) is list:
            listed += data
        elif data is None:
            absent += batch.rows
        else:
            column = as_column(data)
            by_type.setdefault(column.values.dtype.char, []).append(column)
    joined = [columns[0] if len(columns) == 1 else _concatenated(columns) for columns in by_type.values()]
    return [*joined, as_column(listed)] if listed else joined, absent


def _concatenated(columns: list[Column]) -> Column:
    values = np.concatenate([column.values for column in columns])
    if all(column.missing is None for column in columns):
        return Column(values)
    return Column(values, np.concatenate([_mask(column) for column in columns]))


def _mask(column: Column) -> Bools:
    return np.zeros(len(column.values), dtype=bool) if column.missing is None else column.missing
