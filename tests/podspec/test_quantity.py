"""Quantities of the Kubernetes API."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.podspec.quantity import MOST, format_quantity, quantity
from pilotfish.sidecar.settings.units import read_quantity
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12345678n", Fraction(12345678, 10**9)),
        ("100u", Fraction(1, 10**4)),
        ("250m", Fraction(1, 4)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("5.Ki", Fraction(5120)),
        (2, Fraction(2)),
        (0.5, Fraction(1, 2)),
        (1e-05, Fraction(1, 10**5)),
        ("64Mi", Fraction(2**26)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("1e3", Fraction(1000)),
        ("1E", Fraction(10**18)),
        ("1E2", Fraction(100)),
        ("+1k", Fraction(1000)),
        ("-1", Fraction(-1)),
        ("0.1n", Fraction(1, 10**9)),  # rounded away from zero
        ("-0.1n", Fraction(-1, 10**9)),
        ("8Ei", MOST),
        ("-9Ei", -MOST),
        ("10E", Fraction(10**19)),
        ("1e99", Fraction(10**99)),
        ("", None),
        (".", None),
        (" 1", None),
        ("1 Gi", None),
        ("1_0", None),
        ("NaN", None),
        (float("inf"), None),
        ("1e999", None),
        ("1e", None),
        ("1K", None),
        ("1mi", None),
        ("١", None),
        ("9" * 65, None),
        (True, None),
        (None, None),
    ],
)
def test_a_quantity_is_read_exactly_as_the_api_server_reads_it(text: object, number: Fraction | None) -> None:
    assert quantity(text) == number


@given(st.integers(0, 10**16), st.sampled_from([1, 1000]))
def test_a_formatted_quantity_reads_as_the_same_number(numerator: int, denominator: int) -> None:
    number = Fraction(numerator, denominator)
    assert quantity(format_quantity(number)) == number


@given(st.fractions(0, 10**9))
def test_a_quantity_is_rounded_up_to_thousandths(number: Fraction) -> None:
    found = quantity(format_quantity(number))
    assert found is not None
    assert number <= found < number + Fraction(1, 1000)


@pytest.mark.long
@settings(max_examples=examples(300))
@given(st.text("0123456789.+-eEnumkKMGTPi", max_size=12) | st.text(max_size=6))
def test_every_text_is_a_number_or_none_and_a_quantity_of_a_document_is_one_of_kubernetes(text: str) -> None:
    number, of_documents = quantity(text), read_quantity(text)
    assert of_documents is None or (number is not None and float(number) == pytest.approx(of_documents, abs=1e-9))
