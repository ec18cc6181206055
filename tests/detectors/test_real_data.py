"""Real data, fetched from the packages that carry it: known changes are found, and nothing before them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.detection import datasets, real
from tests.support.datasets import needed

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def wider(known: real.Known) -> real.Known:
    """The same rows in fewer and wider ticks, to save time."""
    return replace(known, rows_a_tick=6, tick_seconds=6 * 3600.0)


@pytest.mark.parametrize("name", real.KNOWN)
def test_a_known_change_is_found_where_it_is(name: str) -> None:
    known = wider(real.KNOWN[name])
    needed(*known.files)
    judged = real.judge_order(real.in_order(range(1), known=known), known)
    assert judged.met, judged.measured


@pytest.mark.parametrize("source", ["Elec2", "rainfall", "weather"])
def test_shuffled_rows_are_quiet_and_a_shift_in_them_is_found(source: str) -> None:
    needed(datasets.SOURCES[source].file)
    assert sum(real.shuffled(range(2), source=source, shifted=False)) == 0
    assert real.shuffled(range(1), source=source, shifted=True)[0] <= real.FOUND_WITHIN


def test_the_end_of_a_reference_is_quiet_against_its_beginning() -> None:
    known = wider(real.KNOWN["car loans by the hour, a change at row 25,000"])
    needed(*known.files)
    assert real.held_out(range(1), known=known) == [0]
