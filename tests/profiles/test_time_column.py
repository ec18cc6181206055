"""Times in ISO 8601 and as numbers since 1970."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Column
from pilotfish.sidecar.profiles.errors import ReferenceDataError
from pilotfish.sidecar.profiles.time_column import epoch_seconds
from tests.support.examples import examples

FIRST, LAST = (datetime(year, 1, 1) for year in (1990, 2050))  # noqa: DTZ001  # hypothesis wants them without a zone
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()


def texts(*values: str | None) -> Column:
    return Column(np.array(values, dtype=object))


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("2024-02-29T12:00:00Z", "with a zone"),
        ("2024-02-29T14:00:00+02:00", "with a zone"),
        ("2024-02-29 12:00:00", "read as UTC"),
        ("2024-02-29T12:00", "read as UTC"),
        ("20240229T120000Z", "with a zone"),
        (" 2024-02-29T12:00:00.000000Z ", "with a zone"),
    ],
)
def test_iso_8601(text: str, how: str) -> None:
    times, form = epoch_seconds("t", texts(text))
    assert times.tolist() == [NOON]
    assert how in form


def test_a_date_is_its_midnight_and_mixed_zones_are_reported() -> None:
    times, form = epoch_seconds("t", texts("2024-02-29", "2024-02-29T12:00:00+00:00"))
    assert times.tolist() == [NOON - 43_200, NOON]
    assert "some without a zone" in form


@pytest.mark.parametrize(("factor", "unit"), [(1, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")])
def test_numbers_since_1970(factor: float, unit: str) -> None:
    times, form = epoch_seconds("t", Column(np.array([NOON, NOON + 60]) * factor))
    assert times == pytest.approx([NOON, NOON + 60], abs=1e-3)
    assert form == f"{unit} since 1970"


def test_timestamps_of_parquet() -> None:
    stamps = np.array([*["2024-02-29T12:00:00"] * 30, "NaT"], dtype="datetime64[ns]")
    times, _ = epoch_seconds("t", Column(stamps))
    assert times[0] == NOON
    assert np.isnan(times[-1])


def test_few_rows_without_a_time_are_none_and_many_are_an_error() -> None:
    times, _ = epoch_seconds("t", texts(*["2024-02-29"] * 99, None))
    assert np.isnan(times).sum() == 1
    with pytest.raises(ReferenceDataError, match=r"'02/29/2024' in row 1"):
        epoch_seconds("t", texts("02/29/2024", "02/28/2024"))
    with pytest.raises(ReferenceDataError, match="have no time"):
        epoch_seconds("t", Column(np.array([1e30, np.inf])))


def numbers(*values: float) -> Column:
    return Column(np.array(values, dtype=np.float64))


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ((20240229, 20240301), "YYYYMMDD"),
        ((202402291200, 202403010815), "YYYYMMDDHHMM"),
        ((20240229120000, 20240301081500), "YYYYMMDDHHMMSS"),
        ((2024022912, 2024030108), "YYYYMMDDHH"),
        ((45351.5, 45352.25), "Excel"),
    ],
)
def test_calendar_numbers_are_the_dates_that_they_are(values: tuple[float, ...], form: str) -> None:
    times, how = epoch_seconds("t", numbers(*values))
    assert form in how
    assert [datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d") for time in times] == ["2024-02-29", "2024-03-01"]
    assert times[0] in (NOON, NOON - 43_200)


@settings(max_examples=examples(50))
@given(st.datetimes(FIRST, LAST), st.sampled_from(["%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"]))
def test_any_date_is_read_from_its_calendar_number(moment: datetime, form: str) -> None:
    text = moment.strftime(form)
    times, _ = epoch_seconds("t", numbers(float(text)))
    assert times.tolist() == [datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()]


@pytest.mark.parametrize(
    "values",
    [
        (2024, 2023),
        (202403, 202404),
        (240301, 240302),
        (2403010815, 2403010816),
        range(7),
        range(0, 86_400, 600),
        (19_783, 19_784),
        (28_488_000, 28_488_001),
        (-5, -4),
    ],
)
def test_numbers_that_may_be_something_else_are_refused_with_what_to_give(values: Iterable[float]) -> None:
    with pytest.raises(ReferenceDataError, match=r"column 't': .*give ISO 8601"):
        epoch_seconds("t", numbers(*values))


def test_few_numbers_of_another_form_have_no_time() -> None:
    times, _ = epoch_seconds("t", numbers(*[20240229] * 99, 20240230))
    assert np.isnan(times).sum() == 1
    times, _ = epoch_seconds("t", numbers(*[NOON] * 98, NOON * 1000, 0))
    assert np.isnan(times).sum() == 2
    times, _ = epoch_seconds("t", texts(*[f"{NOON:.0f}"] * 99, "soon"))
    assert (times[0], np.isnan(times).sum()) == (NOON, 1)


def test_mixed_units_are_refused_with_an_example_of_each() -> None:
    mixed = numbers(*[NOON] * 50, *[NOON * 1000] * 50)
    with pytest.raises(ReferenceDataError, match="1709208000000 in row 51 is ms since 1970, 1709208000 in row 1 is s"):
        epoch_seconds("t", mixed)


def test_a_zone_may_be_the_word_utc() -> None:
    times, how = epoch_seconds("t", texts("2024-02-29 12:00:00 UTC"))
    assert (times.tolist(), "with a zone" in how) == ([NOON], True)


@settings(max_examples=examples(50))
@example([8.988465674311579e307, 8.98846567431158e307])
@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_any_numbers_are_times_or_refused(values: list[float]) -> None:
    with contextlib.suppress(ReferenceDataError):
        times, _ = epoch_seconds("t", numbers(*values))
        assert len(times) == len(values)
