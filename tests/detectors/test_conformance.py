"""Every registered class keeps the laws of `pilotfish.detectors.conformance`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column, ColumnData
from pilotfish.detectors.comparisons import COMPARISONS
from pilotfish.detectors.conformance import (
    HOSTILE,
    check_bins,
    check_comparison,
    check_merge,
    check_pods,
    check_refusals,
    check_rows,
    check_state,
)
from pilotfish.detectors.summaries.counts import TickCounts
from tests.detectors.material import INPUTS, QUICK, batches_of, columns, mixed_profile, tick
from tests.support.examples import examples

PROFILE = mixed_profile()
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["city 1", "true", "7"])
)


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    out = []
    for _ in range(draw(st.integers(0, 4))):
        rows = draw(st.integers(0, 5))
        names = draw(st.sets(st.sampled_from([*INPUTS, "unknown"])))
        out.append(Batch({name: draw(st.lists(VALUES, min_size=rows, max_size=rows)) for name in names}, rows))
        score = draw(st.lists(VALUES, min_size=rows, max_size=rows))
        out.append(Batch({"score": score}, rows, "prediction"))
    return out


@settings(max_examples=examples(60), deadline=None)
@given(batches(), st.integers(0, 8))
def test_counts_in_parts_add_up_to_counts_at_once(made: list[Batch], cut: int) -> None:
    check_merge(PROFILE, made, cut)


@settings(max_examples=examples(40), deadline=None)
@given(batches())
def test_every_row_is_counted_once_a_feature_whatever_it_holds(made: list[Batch]) -> None:
    counts = TickCounts(PROFILE)
    for batch in made:
        counts.add(batch)
    check_rows(PROFILE, counts.take())


def test_arrays_lists_and_masks_of_the_same_rows_count_the_same() -> None:
    data = columns(3000, np.random.default_rng(5))
    found = []
    ways: list[Callable[[np.ndarray], ColumnData]] = [
        lambda v: v,
        lambda v: v.tolist(),
        lambda v: v.astype(object),
        lambda v: Column(v, np.zeros(len(v), dtype=bool)),
    ]
    for convert in ways:
        counts = TickCounts(PROFILE)
        for batch in batches_of({name: convert(values) for name, values in data.items()}, 3000):
            counts.add(batch)
        found.append(counts.take().bin_counts.tolist())
    assert found[1:] == found[:1] * 3


@pytest.mark.parametrize("name", PROFILE.index)
def test_hostile_values_have_a_bin(name: str) -> None:
    values = np.fromiter(HOSTILE, dtype=object, count=len(HOSTILE))
    check_bins(PROFILE.feature(name).bins, Column(values))


@pytest.mark.parametrize("name", PROFILE.index)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u8", "?", "c16", "M8[s]", "U3", "S3", "O"])
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_every_array_type_has_bins(name: str, dtype: str, rows: int) -> None:
    check_bins(PROFILE.feature(name).bins, Column(np.zeros(rows).astype(int).astype(dtype)))


@pytest.mark.parametrize("name", COMPARISONS)
@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_comparisons_are_finite_ordered_and_zero_for_equals(name: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 12))
    counts = st.lists(st.integers(0, 10**9), min_size=size, max_size=size)
    reference, current = np.array(data.draw(counts)), np.array(data.draw(counts))
    check_comparison(COMPARISONS[name], reference, current, np.linspace(-2, 2, size))


@pytest.mark.long
def test_a_monitor_goes_on_from_its_state_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    ticks = [tick(PROFILE, rng, gaps=rng.normal(size=50) + (2.0 if 20 <= t < 40 else 0)) for t in range(70)]
    for cut in (0, 10, 25, 60):
        check_state(PROFILE, QUICK, ticks, cut)


@pytest.mark.long
def test_counts_of_many_pods_raise_the_same_alarms_to_the_bit() -> None:
    rng = np.random.default_rng(2)
    batches = []
    for number in range(40):
        pieces = [batches_of(columns(5, rng), 5) for _ in range(10)]
        drifted = Batch({"gaps": rng.normal(size=50) + (2.0 if number >= 20 else 0.0)}, 50)
        batches.append([*(batch for piece in pieces for batch in piece), drifted])
    results = [check_pods(PROFILE, QUICK, batches, pods) for pods in (1, 3, 20)]
    assert results[0] == results[1] == results[2]
    assert any(result.alarms for result in results[0])


def test_what_belongs_to_another_profile_is_refused() -> None:
    check_refusals(PROFILE, mixed_profile(500, 3))
