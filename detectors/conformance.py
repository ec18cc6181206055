"""Conformance checks: what must hold for every class of a kind.

Each check is a function that raises AssertionError with both values.

The tests of this package use them, and so can the tests of a new summary, comparison, transform or sequential test:
call them with an instance and some data. They are deterministic and use no clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .batch import Array, Batch, Column, ColumnData, Floats, Ints, missing_mask
from .binning.categories import CategoryBins
from .binning.numeric import NumericBins
from .comparisons.score import Comparison
from .detection.monitor import DriftMonitor
from .detection.results import TickResult
from .errors import CountsMismatchError, StateError
from .profile.profile import Profile
from .settings import DriftSettings
from .summaries.counts import Counts, TickCounts
from .transforms import Block, Transform, from_document, to_document

HOSTILE: tuple[Any, ...] = (
    None, float("nan"), float("inf"), float("-inf"), 10**400, -(10**400), 2**64, 5e-324, 1.7976931348623157e308,
    True, "", "nan", "1e999", "1.5", "\x00", "\ud800", "x" * 10_000, b"\xff", [], [1, [2]], {}, {"a": 1}, (1,), {1},
    object(), complex(1, 2), np.float32(1), np.int8(1), np.nan, np.array([1, 2]),
)  # fmt: skip


def check_merge(profile: Profile, batches: Sequence[Batch], cut: int) -> None:
    """Check that counting two halves and adding gives the same as counting the whole, in either order."""
    one, other, whole = (TickCounts(profile) for _ in range(3))
    for position, batch in enumerate(batches):
        (one if position < cut else other).add(batch)
        whole.add(batch)
    first, second, together = one.take(), other.take(), whole.take()
    same_counts(first + second, together)
    same_counts(second + first, together)
    same_counts(first + Counts.empty(profile), first)
    same_counts(together.maximum(first), together)
    same_counts(Counts.from_state(profile, together.state()), together)


def check_rows(profile: Profile, counts: Counts) -> None:
    """Check that each row falls into exactly one bin of each feature of its side, or lacks its column."""
    for feature in profile.features:
        if feature.name in profile.derived:  # a transform may use a share of the rows
            continue
        rows = counts.rows(feature.side)
        found = int(counts.of(profile, feature.name).sum()) + int(counts.absent[profile.index[feature.name]])
        _equal(found, rows, f"rows in the bins of {feature.name!r}, or without it")


def check_bins(bins: NumericBins | CategoryBins, data: ColumnData) -> None:
    """Check that every value has a bin, the argument stays unchanged, and the bins survive a round trip.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.binning.numeric import NumericBins
        >>> from pilotfish.detectors.conformance import HOSTILE, check_bins
        >>> values = np.fromiter(HOSTILE, dtype=object, count=len(HOSTILE))
        >>> check_bins(NumericBins.from_values(np.array([1.0, 2.0, 3.0])), values)
    """
    column = data if isinstance(data, Column) else Column(np.asarray(data))
    before = column.values.copy()
    bin_ids, mismatches = bins.digitize(column)
    _equal(len(bin_ids), len(before), "number of bin numbers")
    if len(bin_ids) and not (bin_ids.min() >= 0 and bin_ids.max() < bins.size):
        raise AssertionError(f"bin numbers {bin_ids.min()} to {bin_ids.max()} in bins of size {bins.size}")
    if not 0 <= mismatches <= len(before):
        raise AssertionError(f"{mismatches} mismatches among {len(before)} values")
    _untouched(before, column.values, "column")
    again = type(bins).from_document(bins.document(), "bins")
    _untouched(bin_ids, again.digitize(column)[0], "bin numbers after a round trip")
    _equal((len(bins.labels), len(bins.roles)), (bins.size, bins.size), "labels and roles")


def check_transform(transform: Transform, block: Block) -> None:
    """Check that each output has one entry per row, and that the block stays unchanged.

    Results have the same bits when the transform is applied again, and after a round trip.
    """
    kept = {name: column.values.copy() for name, column in block.columns.items()}
    state = _global_random()
    made = transform.apply(block)
    _untouched(state, _global_random(), "global random state")
    for name, before in kept.items():
        _untouched(before, block.columns[name].values, f"column {name!r}")
    _equal(sorted(made), sorted(transform.outputs), "columns made")
    document = to_document(transform)
    again = from_document(json.loads(json.dumps(document, allow_nan=False)), "transform")
    _equal(to_document(again), document, "document after a round trip")
    for other in (transform.apply(block), again.apply(block)):
        for name, column in made.items():
            _equal(len(column.values), block.rows, f"rows of {name!r}")
            _untouched(column.values, other[name].values, f"{name!r} of the same block")
            _untouched(missing_mask(column), missing_mask(other[name]), f"{name!r} missing in the same block")


def check_comparison(compare: Comparison, reference: Ints, current: Ints, positions: Floats) -> None:
    """Check that a score is finite, ordered and never negative, and 0 for equal counts."""
    kept = reference.copy(), current.copy(), positions.copy()
    score = compare(reference, current, positions)
    if not (np.isfinite([score.value, score.low, score.high]).all() and 0 <= score.low <= score.value <= score.high):
        raise AssertionError(f"{score} must be finite with 0 <= low <= value <= high")
    _equal(compare(reference, reference, positions).value, 0.0, "distance to itself")
    for before, after in zip(kept, (reference, current, positions), strict=True):
        _untouched(before, after, "argument")


def check_state(profile: Profile, settings: DriftSettings, ticks: Sequence[Counts], cut: int) -> None:
    """Check that a monitor restored in the middle continues with the same bits.

    The counts that it was given stay unchanged.
    """
    kept = [counts.bin_counts.copy() for counts in ticks]
    straight = DriftMonitor(profile, settings)
    results = [straight.close_tick(tick, counts) for tick, counts in enumerate(ticks)]
    resumed = DriftMonitor(profile, settings)
    again = [resumed.close_tick(tick, counts) for tick, counts in enumerate(ticks[:cut])]
    resumed = DriftMonitor.from_state(profile, settings, resumed.state())
    again += [resumed.close_tick(cut + tick, counts) for tick, counts in enumerate(ticks[cut:])]
    _equal(again, results, "results after a restart")
    _equal(resumed.state(), straight.state(), "state after a restart")
    _equal(resumed.status(), straight.status(), "status after a restart")
    for before, counts in zip(kept, ticks, strict=True):
        _untouched(before, counts.bin_counts, "counts")


def check_pods(
    profile: Profile, settings: DriftSettings, ticks: Sequence[Sequence[Batch]], pods: int
) -> list[TickResult]:
    """Check that a monitor gives the same results if batches are divided among pods; return the results."""
    alone, folded = DriftMonitor(profile, settings), DriftMonitor(profile, settings)
    results = []
    for number, batches in enumerate(ticks):
        counters, whole = [TickCounts(profile) for _ in range(pods)], TickCounts(profile)
        for position, batch in enumerate(batches):
            counters[position % pods].add(batch)
            whole.add(batch)
        total = Counts.empty(profile)
        for counter in reversed(counters):
            total = total + counter.take()
        results.append(folded.close_tick(number, total))
        _equal(results[-1], alone.close_tick(number, whole.take()), f"result of tick {number} from {pods} pods")
    _equal(folded.state(), alone.state(), f"state after counts of {pods} pods")
    return results


def check_refusals(profile: Profile, other: Profile) -> None:
    """Check that counts and states of another profile are refused, with both hashes in the message."""
    both = (profile.hash, other.hash)
    _refuses(lambda: Counts.empty(profile) + Counts.empty(other), CountsMismatchError, both)
    _refuses(lambda: Counts.empty(profile).maximum(Counts.empty(other)), CountsMismatchError, both)
    _refuses(lambda: Counts.from_state(profile, Counts.empty(other).state()), CountsMismatchError, both)
    _refuses(lambda: DriftMonitor(profile).close_tick(0, Counts.empty(other)), CountsMismatchError, both)
    _refuses(lambda: DriftMonitor.from_state(profile, None, DriftMonitor(other).state()), StateError, both)


def same_counts(found: Counts, expected: Counts) -> None:
    """Raise AssertionError unless both counts are equal to the bit."""
    _equal(plain(found.state()), plain(expected.state()), "counts")


def plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state if it holds plain values only, as a checkpoint must."""
    _only_plain(state, "state")
    return dict(state)


def _only_plain(value: object, where: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _only_plain(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _only_plain(inner, f"{where}[{position}]")
    elif type(value) not in {str, int, float, bool, bytes, type(None)}:
        raise AssertionError(f"{where} is a {type(value).__name__}, not a plain value: {value!r}")


def _equal(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


def _global_random() -> Array:
    return np.array(np.random.get_state(legacy=False)["state"]["key"])  # noqa: NPY002  # looked at, not used


def _untouched(before: Array, after: Array, what: str) -> None:
    if before.dtype == object:
        same = all(one is other for one, other in zip(before.tolist(), after.tolist(), strict=True))
    else:
        same = np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    if not same:
        raise AssertionError(f"{what} was changed from {before!r} to {after!r}")


def _refuses(action: Callable[[], object], error: type[Exception], shown: tuple[str, ...]) -> None:
    try:
        action()
    except error as raised:
        missing = [value for value in shown if value not in str(raised)]
        if missing:
            raise AssertionError(f"the error {str(raised)!r} does not show {missing}") from raised
        return
    raise AssertionError(f"nothing was raised instead of {error.__name__}")
