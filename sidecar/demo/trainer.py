"""The process that retrains: it receives signed webhooks and labelled rows, and replaces model and profile.

    python -m pilotfish.sidecar.demo.trainer SETTINGS_FILE

It stands for the pipeline that a real team has. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
from aiohttp import web

from ...detectors.profile.profile import Profile
from ..errors import error_location
from . import reference
from .flights import CATEGORICAL, FEATURES, Columns, Flights
from .http_server import serve_until_input_ends
from .measurements import until_measured
from .messages import GatheringRows, ProcessFailure, Ready, Retrained, WebhookDelivery, reason_of, send_message
from .model import RidgeModel, fit
from .webhook_receiver import LARGEST_EVENT, STATUS, RetrainingEvent, WebhookReceiver

HOOK_PATH = "/hooks/retrain"
LABELS_PATH = "/labels"
LARGEST_LABELS = 4 * 1024 * 1024  # bytes; one day has about 60 KB
KEPT_DAYS = 60
TIMEOUT = aiohttp.ClientTimeout(total=60)


class TrainerSettings(msgspec.Struct, kw_only=True):
    """Addresses and files. A retraining needs `wanted_days` of labelled rows since the onset."""

    admin_url: str
    load_url: str
    token_file: str
    secret_file: str
    wanted_days: int


class LabelledDay(msgspec.Struct):
    """The rows of one day as the model received them, with their true values; they were served in second `tick`."""

    tick: int
    number: int
    columns: dict[str, list[float | str | None]]
    air_time: list[float]


class TrainingError(Exception):
    """A retraining failed; the message names the step and the reason."""


class Trainer:
    """Receives labels and webhooks, and runs one retraining at a time.

    It answers labels only while it does not learn. The replay waits for the answer, so few days pass meanwhile: a day
    takes a second here, but learning takes as long as it does, and a profile of old days would show the season.
    """

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings
        self._inbox = WebhookReceiver(Path(settings.secret_file).read_bytes().strip())
        self._token = Path(settings.token_file).read_text().strip()
        self._days: deque[LabelledDay] = deque(maxlen=KEPT_DAYS)
        self._more = asyncio.Condition()
        self._not_learning = asyncio.Event()
        self._not_learning.set()
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """Return the routes for webhooks and labels."""
        application = web.Application(client_max_size=LARGEST_LABELS)
        application.router.add_post(HOOK_PATH, self._hook)
        application.router.add_post(LABELS_PATH, self._labels)
        return application

    async def _labels(self, request: web.Request) -> web.Response:
        day = msgspec.json.decode(await request.read(), type=LabelledDay)
        async with self._more:
            self._days.append(day)
            self._more.notify_all()
        await self._not_learning.wait()
        return web.Response()

    async def _hook(self, request: web.Request) -> web.Response:
        if (request.content_length or 0) > LARGEST_EVENT:
            return web.Response(status=413)
        verdict = self._inbox.judge(request.headers, await request.read(), time.time())
        event = verdict.event
        send_message(
            WebhookDelivery(
                verdict=verdict.outcome,
                reason=verdict.reason,
                id=event.id if event else "",
                episode=event.data.episode if event else "",
            )
        )
        if verdict.outcome == "accepted" and event is not None:
            task = asyncio.create_task(self._retrain(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return web.json_response({"outcome": verdict.outcome}, status=STATUS[verdict.outcome])

    async def _retrain(self, event: RetrainingEvent) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self._one_at_a_time, aiohttp.ClientSession(headers=headers, timeout=TIMEOUT) as session:
                flights = await self._gather(event.data.detail.onset_tick if event.data.detail else 0)
                self._not_learning.clear()
                model, profile = await asyncio.to_thread(learn, flights)
                await self._send(session, "POST", self._settings.load_url, msgspec.json.encode(model))
                # The predictions of the old model do not fit the new profile.
                await until_measured(session, self._settings.admin_url)
                await self._send(session, "PUT", f"{self._settings.admin_url}/profile", profile.to_bytes())
        except (TrainingError, aiohttp.ClientError, TimeoutError) as error:
            send_message(ProcessFailure(reason=f"retraining for {event.data.episode} failed: {reason_of(error)}"))
        except Exception as error:  # without a message, the demo would wait for the model until its time is over
            what = f"{type(error).__name__} at {error_location(error)}"
            send_message(ProcessFailure(reason=f"retraining for {event.data.episode} failed: {what}"))
        else:
            send_message(Retrained(rows=len(flights), profile=profile.hash))
        finally:
            self._not_learning.set()

    async def _gather(self, onset: int) -> Flights:
        """Return the labelled rows since the onset, once there are enough days of them."""
        async with self._more:
            while True:
                days = [day for day in self._days if day.tick >= onset]
                send_message(GatheringRows(days=len(days), wanted=self._settings.wanted_days, onset=onset))
                if len(days) >= self._settings.wanted_days:
                    return as_flights(days)
                await self._more.wait()

    async def _send(self, session: aiohttp.ClientSession, method: str, url: str, body: bytes) -> None:
        async with session.request(method, url, data=body) as response:
            if response.status >= 300:
                raise TrainingError(f"{method} {url} returned {response.status}: {(await response.text())[:200]}")


def learn(flights: Flights) -> tuple[RidgeModel, Profile]:
    """Return a model of `flights`, and the profile for its traffic."""
    model = fit(flights.columns, flights.air_time)
    return model, reference.build(model, flights)


def as_flights(days: list[LabelledDay]) -> Flights:
    """Return the labelled days as rows in time order."""
    columns: Columns = {}
    for name in FEATURES:
        values = [value for day in days for value in day.columns[name]]
        columns[name] = (
            np.array(values, str)
            if name in CATEGORICAL
            else np.array([np.nan if v is None else v for v in values], np.float64)
        )
    air_time = np.array([minutes for day in days for minutes in day.air_time], np.float64)
    numbers = np.array([day.number for day in days for _ in day.air_time], np.int64)
    return Flights(columns, air_time, numbers)


async def serve(settings: TrainerSettings) -> None:
    """Serve until standard input ends."""
    await serve_until_input_ends(Trainer(settings).application(), lambda port: send_message(Ready(port=port)))


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=TrainerSettings)))
