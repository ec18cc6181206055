"""One day of the replay against a real server: every row is sent once through Pilotfish, and some also directly."""

from __future__ import annotations

import math
from collections import Counter

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pilotfish.sidecar.demo import wire
from pilotfish.sidecar.demo.messages import AnyMessage, DayReplayed
from pilotfish.sidecar.demo.model import fit
from pilotfish.sidecar.demo.replay import PAIRED, ROWS, FlightReplay, ReplaySettings
from pilotfish.sidecar.demo.server import ModelServer
from pilotfish.sidecar.demo.trainer import LabelledDay
from tests.demo import made

FLIGHTS = made.flights(1, rows=203)
MODEL = fit(FLIGHTS.columns, FLIGHTS.air_time)


async def replayed(
    monkeypatch: pytest.MonkeyPatch, change_day: int, path: str
) -> tuple[DayReplayed, LabelledDay, Counter[str]]:
    """Return the message about day 0, its labels, and the number of requests each way."""
    messages: list[AnyMessage] = []
    labels: list[LabelledDay] = []
    ways: Counter[str] = Counter()
    monkeypatch.setattr("pilotfish.sidecar.demo.replay.send_message", messages.append)

    async def take_labels(request: web.Request) -> web.Response:
        labels.append(msgspec.json.decode(await request.read(), type=LabelledDay))
        return web.Response()

    @web.middleware
    async def count(request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
        ways[request.query_string] += 1
        return await handler(request)  # type: ignore[operator,no-any-return]

    application = ModelServer(MODEL, "token").application()
    application.middlewares.append(count)  # type: ignore[arg-type]
    application.router.add_post("/labels", take_labels)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        settings = ReplaySettings(
            flights_file="",
            change_day=change_day,
            change_origin="JFK",
            through_url=str(server.make_url(path)) + "?through",
            direct_url=str(server.make_url(wire.INFER_PATH)) + "?direct",
            labels_url=str(server.make_url("/labels")),
        )
        await FlightReplay(settings, session).day(FLIGHTS, 0)
    assert isinstance(messages[0], DayReplayed)
    return messages[0], labels[0], ways


@pytest.mark.asyncio
async def test_a_day_is_sent_whole_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    day, labels, ways = await replayed(monkeypatch, change_day=9, path=wire.INFER_PATH)
    assert (day.rows, day.requests, day.failures) == (203, math.ceil(203 / ROWS), 0)
    assert ways["through"] == day.requests
    assert ways["direct"] == math.ceil(day.requests / PAIRED)
    assert day.direct > 0
    assert day.error == pytest.approx(abs(MODEL.predict(FLIGHTS.columns) - FLIGHTS.air_time).mean(), abs=0.01)
    assert labels.air_time == FLIGHTS.air_time.tolist()
    assert not day.changed


@pytest.mark.asyncio
async def test_after_the_change_rows_and_labels_carry_kilometres(monkeypatch: pytest.MonkeyPatch) -> None:
    day, labels, _ = await replayed(monkeypatch, change_day=0, path=wire.INFER_PATH)
    farther = sum(
        new > old for new, old in zip(labels.columns["distance"], FLIGHTS.columns["distance"].tolist(), strict=True)
    )
    assert day.changed
    assert farther == (FLIGHTS.columns["origin"] == "JFK").sum()
    assert day.error > 20


@pytest.mark.asyncio
async def test_requests_without_a_good_answer_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    day, _, _ = await replayed(monkeypatch, change_day=9, path="/nowhere")
    assert day.failures == day.requests
    assert (day.error, day.close) == (0.0, 0.0)
