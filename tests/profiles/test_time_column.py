"""Times in ISO 8601 and as numbers since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from pilotfish.detectors.batch import Column
from pilotfish.sidecar.profiles.errors import ReferenceDataError
from pilotfish.sidecar.profiles.time_column import epoch_seconds

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
