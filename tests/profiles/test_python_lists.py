"""Lists in the forms in which programs write them as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.profiles.python_lists import python_list

FLOATS = st.lists(st.floats(width=32), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[1 2 3]", [1, 2, 3]),
        ("[1. 2.5\n 3.]", [1, 2.5, 3]),
        ("[1, None]", [1, None]),
        ("[nan, 1.0]", [None, 1]),
        ("(1, 2)", [1, 2]),
        ("array([1., 2.])", [1, 2]),
        ("array([1., 2.], dtype=float32)", [1, 2]),
        ("[np.float64(1.5), np.float64(2.0)]", [1.5, 2]),
        ("tensor([0.5, 0.25], device='cuda:0')", [0.5, 0.25]),
        ("{1,2,NULL}", [1, 2, None]),
        ("[]", []),
    ],
)
def test_flat_numbers_are_an_array(text: str, numbers: list[float | None]) -> None:
    found = python_list(text)
    assert [None if np.isnan(value) else value for value in found] == numbers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("['a', 'b']", ["a", "b"]),
        ("[[1 2]\n [3 4]]", [[1, 2], [3, 4]]),
        ("array([[1, 2], [3, 4]])", [[1, 2], [3, 4]]),
        ("[True, None]", [True, None]),
    ],
)
def test_other_lists_keep_their_values(text: str, values: list[Any]) -> None:
    assert python_list(text) == values


@pytest.mark.parametrize(
    "text", ["(5.00)", "(x, y)", "[Bern]", "[1,2", "{'a': 1}", "[1 2 ... 9]", "[" * 100_000, "hello", "[f(1)]", "(1)"]
)
def test_other_text_is_no_list(text: str) -> None:
    assert python_list(text) is None


@given(FLOATS)
def test_what_python_and_numpy_write_is_read_back(values: list[float]) -> None:
    for text in (str(values), str(tuple(values) if len(values) > 1 else values)):
        assert np.array_equal(python_list(text), np.array(values), equal_nan=True)
    with np.printoptions(threshold=1000, floatmode="unique"):
        array = np.array(values)
        assert np.array_equal(python_list(str(array)), array, equal_nan=True)


@given(st.text(alphabet=st.sampled_from(list("[](){}, .0123456789e+-'\"naNonetrueupl_=\n\\")), max_size=60))
def test_any_text_is_a_list_or_none(text: str) -> None:
    assert python_list(text) is None or isinstance(python_list(text), (list, np.ndarray))
