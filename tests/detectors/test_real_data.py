"""Real data, fetched from the packages that carry it: the changes that are known are found, and nothing before them."""

from __future__ import annotations

import pytest

from tests.benchmarks.detection import datasets, real
from tests.support.datasets import needed

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", real.KNOWN)
def test_a_known_change_is_found_where_it_is(name: str) -> None:
    known = real.KNOWN[name]
    needed(*known.files)
    (case,) = (case for case in real.ordered_cases(False) if case.name == name)
    judged = case.judge(case.measure(range(1), **case.options))
    assert judged.met, judged.measured


@pytest.mark.parametrize("source", ["Elec2", "rainfall", "weather"])
def test_shuffled_rows_are_quiet_and_a_shift_in_them_is_found(source: str) -> None:
    needed(datasets.SOURCES[source].file)
    assert sum(real.shuffled(range(3), source=source, shifted=False)) == 0
    assert min(real.shuffled(range(3), source=source, shifted=True)) <= real.FOUND_WITHIN


def test_the_end_of_a_reference_is_quiet_against_its_beginning() -> None:
    known = real.KNOWN["car loans by the hour, a change at row 25,000"]
    needed(*known.files)
    assert real.held_out(range(1), known=known) == [0]
