"""`status.resources` as a recommendation; whatever a ModelMonitor has there, nothing raises."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.podspec.amounts import Kind
from pilotfish.sidecar.podspec.quantity import format_quantity, quantity
from pilotfish.sidecar.recommend.gather import status_by_container
from pilotfish.sidecar.recommend.recommended import exact, from_status
from tests.recommend.made import STATUS
from tests.support.examples import examples


def test_target_and_bounds_are_read_exactly() -> None:
    found = from_status(STATUS)
    assert found is not None
    assert found.target == {"cpu": Fraction(35, 100), "memory": Fraction(1288490189)}
    assert found.lower == {"cpu": Fraction(28, 100), "memory": Fraction(2**30)}
    assert (found.confidence_days, found.samples, found.is_confident) == (8.0, 11520, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"target": None},
        {"target": {}},
        {"target": {"cpu": "many"}},
        {"target": {"cpu": "-1"}},
        {"samples": -1},
        {"container": 3},
    ],
)
def test_an_entry_without_a_usable_target_is_no_recommendation(changed: dict[str, Any]) -> None:
    assert from_status(STATUS | changed) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["250m", "1Gi"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(STATUS)), inner, max_size=6),
    max_leaves=10,
)


@given(JSON)
@settings(max_examples=examples(200))
def test_any_status_is_read(value: Any) -> None:
    for entry in status_by_container({"status": {"resources": value}}).values():
        found = from_status(entry)
        assert found is None or all(amount > 0 for amount in found.target.values())


def test_decimals_stay_as_they_are_written() -> None:
    amounts: dict[Kind, float] = {"cpu": 0.05}
    assert exact(amounts) == {"cpu": Fraction(50, 1000)}


@given(st.floats(min_value=0, max_value=1e15, allow_nan=False), st.floats(min_value=0, max_value=1e15))
@settings(max_examples=examples(200))
def test_amounts_are_rounded_up_to_what_kubernetes_can_say(cpu: float, memory: float) -> None:
    amounts: dict[Kind, float] = {"cpu": cpu, "memory": memory}
    found = exact(amounts)
    for kind, value in found.items():
        given_value = Fraction(str(cpu if kind == "cpu" else memory))
        assert given_value <= value < given_value + (Fraction(1, 1000) if kind == "cpu" else 1)
        assert quantity(format_quantity(value)) == value
