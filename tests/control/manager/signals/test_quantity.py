"""Quantities of the Kubernetes API."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.signals.quantity import parse_quantity
from pilotfish.sidecar.settings.units import read_quantity
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678n", 0.012345678),
        ("250u", 0.00025),
        ("250m", 0.25),
        ("2", 2.0),
        (2, 2.0),
        ("64Mi", 64 * 1024**2),
        ("1.5Gi", 1.5 * 1024**3),
        ("1e3", 1000.0),
        ("1E", 1e18),
        ("1E2", 100.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1", -1.0),
        ("", None),
        ("1 ", None),
        ("1_0", None),
        ("NaN", None),
        ("1e999", None),
        ("1K", None),
        ("1mi", None),
        ("9" * 65, None),
        (True, None),
        (None, None),
    ],
)
def test_a_quantity_is_read_as_kubernetes_writes_it(text: object, value: float | None) -> None:
    assert parse_quantity(text) == (None if value is None else pytest.approx(value))


@settings(max_examples=examples(300))
@given(st.text("0123456789.+-eEnumkKMGTPi", max_size=12) | st.text(max_size=6))
def test_every_text_is_a_finite_number_or_none(text: str) -> None:
    value = parse_quantity(text)
    assert value is None or isfinite(value)
    of_documents = read_quantity(text)
    assert of_documents is None or value == pytest.approx(of_documents, abs=1e-9)
