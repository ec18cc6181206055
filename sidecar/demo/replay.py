"""The process that sends the flights as traffic, one day a second, and then the labels of the day to the trainer.

    python -m pilotfish.sidecar.demo.replay SETTINGS_FILE

Each request carries a few rows. One request in a few is also sent straight to the server, right before or right after,
so that both latencies come from the same moment and the same client. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
from numpy.typing import NDArray

from . import wire
from .flights import CATEGORICAL, FEATURES, Columns, Flights, in_kilometres
from .http_server import input_ended
from .messages import DayReplayed, ProcessFailure, send_message
from .trainer import LabelledDay

ROWS = 5  # in one request
CONNECTIONS = 6
SPREAD = 0.8  # share of a tick over which the requests of a day are spread
PAIRED = 6  # one in this many requests is also sent directly to the server
CLOSE = 15.0  # minutes; a prediction with a smaller error is close
TIMEOUT = aiohttp.ClientTimeout(total=10)


class ReplaySettings(msgspec.Struct, kw_only=True):
    """What to send and where. From `change_day` on, `change_origin` sends distances in kilometres."""

    flights_file: str
    change_day: int
    change_origin: str
    through_url: str
    direct_url: str
    labels_url: str


@dataclass(slots=True)
class Sent:
    """Results of the requests of one day; `predictions` in row order, NaN where no response came."""

    predictions: NDArray[np.float64]
    requests: int = 0
    failures: int = 0
    direct: list[float] = field(default_factory=list)
    through: list[float] = field(default_factory=list)


class FlightReplay:
    """Sends days of traffic with one client session."""

    def __init__(self, settings: ReplaySettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    async def day(self, flights: Flights, number: int) -> None:
        """Send one day of flights in the coming tick, then its labels, and report the results."""
        changed = number >= self._settings.change_day
        if changed:
            flights = in_kilometres(flights, self._settings.change_origin)
        bodies = list(enumerate(requests_of(flights.columns, number)))
        sent = Sent(np.full(len(flights), np.nan))
        tick = await next_tick()
        gap = SPREAD / len(bodies)
        queue = ((tick + index * gap, index, body) for index, body in bodies)
        await asyncio.gather(*(self._work(queue, sent) for _ in range(CONNECTIONS)))
        send_message(summary_of(flights, sent, number, tick, changed))
        await self._post(self._settings.labels_url, msgspec.json.encode(labels_of(flights, number, tick)))

    async def _work(self, queue: Iterator[tuple[float, int, bytes]], sent: Sent) -> None:
        for due, index, body in queue:
            await asyncio.sleep(max(0.0, due - time.time()))
            sent.requests += 1
            answer = await (self._pair(index, body, sent) if index % PAIRED == 0 else self._through(body))
            if answer is None:
                sent.failures += 1
            else:
                sent.predictions[index * ROWS : index * ROWS + len(answer)] = answer

    async def _pair(self, index: int, body: bytes, sent: Sent) -> NDArray[np.float64] | None:
        """Send `body` both ways, in alternating order, and measure both times."""
        direct_first = index // PAIRED % 2 == 0
        start = time.perf_counter()
        first = await (self._post(self._settings.direct_url, body) if direct_first else self._through(body))
        middle = time.perf_counter()
        second = await (self._through(body) if direct_first else self._post(self._settings.direct_url, body))
        end = time.perf_counter()
        took = (middle - start, end - middle)
        sent.direct.append(took[0] if direct_first else took[1])
        sent.through.append(took[1] if direct_first else took[0])
        answer = second if direct_first else first
        return answer if isinstance(answer, np.ndarray) else None

    async def _through(self, body: bytes) -> NDArray[np.float64] | None:
        raw = await self._post(self._settings.through_url, body)
        return None if raw is None else wire.decode_predictions(raw)

    async def _post(self, url: str, body: bytes) -> bytes | None:
        """Return the body of a 2xx response, else None."""
        try:
            async with self._session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                raw = await response.read()
                return raw if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None


def requests_of(columns: Columns, number: int) -> Iterator[bytes]:
    """Yield the bodies of a day's requests, ROWS rows each."""
    rows = len(columns[FEATURES[0]])
    for start in range(0, rows, ROWS):
        part = {name: values[start : start + ROWS] for name, values in columns.items()}
        yield wire.encode_rows(part, f"{number}-{start}")


def labels_of(flights: Flights, number: int, tick: int) -> LabelledDay:
    """Return the labels of a day for the trainer."""
    columns: dict[str, list[float | str | None]] = {}
    for name in FEATURES:
        values = flights.columns[name].tolist()
        columns[name] = values if name in CATEGORICAL else [None if math.isnan(value) else value for value in values]
    return LabelledDay(tick, number, columns, flights.air_time.tolist())


def summary_of(flights: Flights, sent: Sent, number: int, tick: int, changed: bool) -> DayReplayed:
    """Return the message with the results of a day."""
    answered = ~np.isnan(sent.predictions)
    errors = np.abs(sent.predictions - flights.air_time)[answered]
    return DayReplayed(
        number=number,
        tick=tick,
        rows=len(flights),
        requests=sent.requests,
        failures=sent.failures,
        changed=changed,
        error=float(errors.mean()) if len(errors) else 0.0,
        close=float((errors <= CLOSE).mean()) if len(errors) else 0.0,
        direct=float(np.median(sent.direct)) * 1e3 if sent.direct else 0.0,
        added=float(np.median(sent.through) - np.median(sent.direct)) * 1e3 if sent.direct else 0.0,
    )


async def next_tick() -> int:
    """Wait for the next full second and return its number."""
    now = time.time()
    tick = math.floor(now) + 1
    await asyncio.sleep(tick - now)
    return tick


async def replay(settings: ReplaySettings) -> None:
    """Send day after day until standard input or the data ends."""
    with np.load(settings.flights_file) as stored:
        flights = Flights({name: stored[name] for name in FEATURES}, stored["air_time"], stored["day"])
    stop = asyncio.create_task(input_ended())
    connector = aiohttp.TCPConnector(limit=2 * CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        replaying = FlightReplay(settings, session)
        for number in range(int(flights.day[0]), int(flights.day[-1]) + 1):
            if stop.done():
                return
            await replaying.day(flights.days(number, number + 1), number)
    send_message(ProcessFailure(reason="the data ended before the loop was closed"))
    await stop


if __name__ == "__main__":
    asyncio.run(replay(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=ReplaySettings)))
