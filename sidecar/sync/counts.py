"""The sparse form of the counts of one tick, in which they leave a pod and wait in its store.

    version  1 byte
    profile  8 bytes, the first ones of the profile's hash
    numbers  LEB128, as few bytes as possible each:
             rows of each side (input, prediction, label)
             number of runs of non-zero values; zeros before and length of each run
             the values of all runs

The values are bin counts, mismatches, absent rows and excess of `Counts`, one after the other. Zeros cost nothing, and
a small number costs one byte. The same counts always have the same bytes, so that a reader may compare them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...detectors.batch import SIDES, Array, Ints
from ...detectors.binning.numeric import LARGEST_EXCESS
from ...detectors.profile.profile import Profile
from ...detectors.summaries.counts import Counts
from .messages import MessageError

COUNTS_VERSION = 1
MAX_ROWS = 2**31 - 1  # of one side in one tick of one pod
_PROFILE_BYTES = 8
_HEADER_BYTES = 1 + _PROFILE_BYTES
_MAX_NUMBER_BYTES = 9  # 63 bits


def encode_counts(counts: Counts) -> bytes:
    """Return `counts` in the sparse form."""
    values = np.concatenate([counts.bin_counts, counts.mismatches, counts.absent, counts.excess.ravel()])
    filled = np.flatnonzero(values)
    first = np.ones(len(filled), bool)
    first[1:] = np.diff(filled) > 1
    starts = np.flatnonzero(first)  # of the runs, in `filled`
    lengths = np.diff(np.append(starts, len(filled)))
    begins = filled[starts]
    skipped = begins - np.concatenate([[0], (begins + lengths)[:-1]])[: len(begins)]
    rows = [counts.rows(side) for side in SIDES]
    runs: Ints = np.stack([skipped, lengths], axis=1).ravel()
    numbers = np.concatenate([np.array([*rows, len(starts)], np.int64), runs, values[filled]])
    return bytes([COUNTS_VERSION]) + bytes.fromhex(counts.profile_hash)[:_PROFILE_BYTES] + _to_leb128(numbers)


def decode_counts(data: bytes, profile: Profile) -> Counts:
    """Return the counts of `profile` in `data`; raise MessageError for anything that `encode_counts` cannot return.

    Memory and time are bounded by the size of the profile.
    """
    features = len(profile.features)
    size = profile.n_bins + 4 * features
    _check_header(data, profile)
    most = len(SIDES) + 1 + 3 * (size + 1) // 2  # if each second value is zero: two numbers of a run, and its value
    if len(data) > _HEADER_BYTES + _MAX_NUMBER_BYTES * most:
        raise _unreadable(f"{len(data)} bytes are too many for {size} values")
    numbers = _from_leb128(np.frombuffer(data, np.uint8, offset=_HEADER_BYTES))
    values = _expand(numbers[len(SIDES) :], size)
    rows = numbers[: len(SIDES)].tolist()
    bounds = np.cumsum([profile.n_bins, features, features])
    bin_counts, mismatches, absent, excess = np.split(values, bounds)
    counts = Counts(profile.hash, bin_counts, mismatches, absent, excess.reshape(-1, 2), *rows)
    _check_rows(counts, profile, rows)
    return counts


def _check_header(data: bytes, profile: Profile) -> None:
    if len(data) <= _HEADER_BYTES:
        raise _unreadable(f"{len(data)} bytes are too few")
    if data[0] != COUNTS_VERSION:
        raise _unreadable(f"they have version {data[0]}, not {COUNTS_VERSION}")
    if data[1:_HEADER_BYTES] != bytes.fromhex(profile.hash)[:_PROFILE_BYTES]:
        raise _unreadable(
            f"they belong to the profile {data[1:_HEADER_BYTES].hex()}, not {profile.hash[: 2 * _PROFILE_BYTES]}"
        )


def _expand(numbers: Ints, size: int) -> Ints:
    """Return the `size` values of the runs in `numbers`: number of runs, the runs, the values of all runs."""
    if len(numbers) == 0:
        raise _unreadable("the number of runs is missing")
    runs = int(numbers[0])
    if runs > (len(numbers) - 1) // 2:
        raise _unreadable(f"{runs} runs do not fit in {len(numbers) - 1} numbers")
    skipped, lengths = numbers[1 : 1 + 2 * runs].reshape(-1, 2).T
    filled = numbers[1 + 2 * runs :]
    if runs and max(int(skipped.max()), int(lengths.max())) > size:
        raise _unreadable(f"a run is longer than the {size} values of the profile")
    if not filled.all() or not lengths.all() or not skipped[1:].all() or int(lengths.sum()) != len(filled):
        raise _unreadable("the runs do not fit the values")
    begins = np.cumsum(skipped) + np.cumsum(lengths) - lengths
    if runs and int(begins[-1] + lengths[-1]) > size:
        raise _unreadable(f"the runs end after the {size} values of the profile")
    values: Ints = np.zeros(size, np.int64)
    values[np.repeat(begins - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(filled))] = filled
    return values


def _check_rows(counts: Counts, profile: Profile, rows: Sequence[int]) -> None:
    """Raise MessageError if a feature counts more than the rows of its side."""
    if max(rows) > MAX_ROWS:
        raise _unreadable(f"{max(rows)} rows are more than {MAX_ROWS}")
    limits: Ints = np.array([counts.rows(feature.side) for feature in profile.features], np.int64)
    parts = counts.bin_counts, counts.mismatches, counts.absent
    if any(int(part.max(initial=0)) > MAX_ROWS for part in parts):  # so that no sum below overflows
        raise _unreadable(f"a count is more than {MAX_ROWS}")
    total: Ints = np.add.reduceat(counts.bin_counts, profile.offsets[:-1]) + counts.absent
    if (total > limits).any() or (counts.mismatches > limits).any():
        raise _unreadable("a feature counts more than the rows of its side")
    if (counts.excess > limits[:, None] * int(LARGEST_EXCESS)).any():
        raise _unreadable("the excess of a feature is larger than its rows allow")


def _to_leb128(numbers: Ints) -> bytes:
    """Return `numbers`, int64 [n] and not negative, as LEB128."""
    widths = np.ones(len(numbers), np.int64)
    for bits in range(7, 63, 7):
        widths += numbers >= 1 << bits
    starts = np.cumsum(widths) - widths
    out = np.zeros(int(widths.sum()), np.uint8)
    for position in range(int(widths.max(initial=0))):
        has = widths > position
        part = (numbers[has] >> (7 * position)) & 0x7F
        out[starts[has] + position] = part | np.where(widths[has] > position + 1, 0x80, 0)
    return out.tobytes()


def _from_leb128(data: Array) -> Ints:
    """Return the numbers in `data`, uint8 [n]; raise MessageError unless each is whole and as short as possible."""
    ends = np.flatnonzero(data < 0x80)
    if len(ends) == 0 or ends[-1] != len(data) - 1:
        raise _unreadable("the last number is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    widths = ends - starts + 1
    if int(widths.max()) > _MAX_NUMBER_BYTES:
        raise _unreadable("a number has more than 63 bits")
    if (data[ends][widths > 1] == 0).any():
        raise _unreadable("a number is longer than it needs to be")
    if len(widths) < len(SIDES) + 1:
        raise _unreadable("the rows of a side are missing")
    numbers: Ints = np.zeros(len(ends), np.int64)
    for position in range(int(widths.max())):
        has = widths > position
        numbers[has] |= (data[starts[has] + position].astype(np.int64) & 0x7F) << (7 * position)
    return numbers


def _unreadable(problem: str) -> MessageError:
    return MessageError(f"cannot read the counts of a tick: {problem}; send counts of this release and profile")
