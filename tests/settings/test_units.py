from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.settings import units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1.5s", 1.5),
        ("0", 0),
        (0, 0),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert units.read_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "60", 60, "s", "1 s", "-1s", "1S", "1M", "1e3s", "٣s", "1s" * 40, None, [], True, "1s\n"]
)
def test_invalid_durations(value: object) -> None:
    assert units.read_duration(value) is None


@pytest.mark.parametrize(
    ("text", "size"), [("1Mi", 1 << 20), (65536, 65536), ("512Ki", 524288), ("2M", 2_000_000), ("0.5Ki", 512)]
)
def test_sizes(text: object, size: int) -> None:
    assert units.read_size(text) == size


@pytest.mark.parametrize(
    "value", ["1.5", "1MB", "1MiB", "1m", -1, "-1", 1.5, None, True, "1" * 99, float("nan"), "0.3Ki"]
)
def test_invalid_sizes(value: object) -> None:
    assert units.read_size(value) is None


@given(st.integers(1, 10**9))
def test_formatted_values_parse_to_the_same_number(number: int) -> None:
    assert units.read_duration(units.show_duration(number)) == pytest.approx(number, rel=1e-5)
    assert units.read_size(units.show_size(number)) == number
    assert units.read_quantity(units.show_quantity(number / 1000)) == pytest.approx(number / 1000, rel=1e-5)


TEXTS = [
    "60s",
    "1h30m",
    "60",
    "0",
    "s",
    "1Mi",
    "1MiB",
    "250m",
    "1.5",
    "1.5s",
    "-1",
    "",
    "1 s",
    "4",
    "1Ki",
    "1k",
    "1K",
    "3w",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", sorted(units.UNITS))
def test_the_schema_accepts_the_texts_that_the_parser_accepts(name: str, text: str) -> None:
    unit = units.UNITS[name]
    fits = re.search(str(unit.schema["pattern"]), text) is not None
    assert fits == (unit.read(text) is not None) or (name == "size" and text in {"250m", "1.5"})  # not whole bytes
