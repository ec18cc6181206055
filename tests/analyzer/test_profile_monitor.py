"""Rows are joined in order and only with rows of the same columns."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import Rows
from pilotfish.sidecar.analyzer.profile_monitor import concatenate_rows
from tests.support.examples import examples

NAMES = st.lists(st.sampled_from("abc"), unique=True, max_size=3)


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    count = draw(st.integers(0, 3))
    return Rows({name: [draw(st.integers()) for _ in range(count)] for name in draw(NAMES)}, count)


@given(st.lists(rows(), max_size=6))
@settings(max_examples=examples(300), deadline=None)
def test_joined_rows_are_the_same_rows_in_the_same_order(parts: list[Rows]) -> None:
    found = concatenate_rows(parts)
    assert sum(part.count for part in found) == sum(part.count for part in parts)
    for name in "abc":
        before = [value for part in parts for value in part.columns.get(name, [])]
        assert [value for part in found for value in part.columns.get(name, [])] == before


def test_requests_with_the_same_columns_become_one() -> None:
    parts = [Rows({"a": [1], "b": [2]}, 1), Rows({"b": [4, 6], "a": [3, 5]}, 2)]
    assert concatenate_rows(parts) == [Rows({"a": [1, 3, 5], "b": [2, 4, 6]}, 3)]
