"""The vendored data match their description, and the injected change touches one airport's distances only."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from pilotfish.sidecar.demo.flights import FEATURES, Flights, in_kilometres, load, mixed_days


@pytest.fixture(scope="module")
def flights() -> Flights:
    return load()


@pytest.mark.long
def test_every_day_from_may_to_september_has_flights(flights: Flights) -> None:
    assert len(flights) == 139_262
    assert set(flights.day.tolist()) == set(range(153))
    assert tuple(flights.columns) == FEATURES
    assert not np.isnan(flights.air_time).any()


def test_days_are_cut_out_whole(flights: Flights) -> None:
    assert len(flights.days(3, 4)) + len(flights.days(4, 6)) == len(flights.days(3, 6))
    assert set(flights.days(4, 6).day.tolist()) == {4, 5}


def test_mixed_days_hold_the_same_rows_in_another_order(flights: Flights) -> None:
    mixed = mixed_days(flights, np.random.default_rng(1))
    assert (mixed.day == flights.day).all()
    assert mixed.columns["departure"].tolist() != flights.columns["departure"].tolist()
    for before, after in ((flights.days(3, 4), mixed.days(3, 4)), (flights.days(152, 153), mixed.days(152, 153))):
        assert sorted(before.air_time.tolist()) == sorted(after.air_time.tolist())
    chosen = slice(0, 500)
    noon = np.median(mixed.days(0, 1).columns["departure"].astype(float))
    assert abs(np.median(mixed.rows(chosen).columns["departure"].astype(float)) - noon) < 1


def test_kilometres_come_from_one_airport_only(flights: Flights) -> None:
    before = flights.days(0, 2)
    after = in_kilometres(before, "JFK")
    there = before.columns["origin"] == "JFK"
    ratio = after.columns["distance"].astype(float) / before.columns["distance"].astype(float)
    assert np.allclose(ratio[there], 1.609344, atol=0.01)
    assert (ratio[~there] == 1).all()
    assert all((after.columns[name] == before.columns[name]).all() for name in ("carrier", "departure"))


def test_the_data_say_where_they_come_from() -> None:
    folder = resources.files("pilotfish.sidecar.demo").joinpath("data")
    described = folder.joinpath("README.md").read_text()
    assert all(f"| {name} |" in described for name in (*FEATURES, "date", "air_time"))
    assert "CC0" in described
    assert folder.joinpath("make_flights.py").is_file()
    assert len(folder.joinpath("flights.csv.xz").read_bytes()) < 1_500_000
