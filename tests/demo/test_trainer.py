"""The trainer over HTTP: one retraining for one cause, on rows since the onset, delivered with the token."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.control.webhook.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from pilotfish.sidecar.demo.messages import AnyMessage, GatheringRows, ProcessFailure, Retrained, WebhookDelivery
from pilotfish.sidecar.demo.model import RidgeModel
from pilotfish.sidecar.demo.replay import labels_of
from pilotfish.sidecar.demo.trainer import HOOK_PATH, LABELS_PATH, Trainer, TrainerSettings
from tests.demo import made
from tests.support.waiting import eventually

SECRET, TOKEN = "secret", "token"
ONSET = 1_000


@dataclass
class Neighbours:
    """What the server and the analyzer were sent; `status` is what they answer."""

    status: int = 200
    models: list[RidgeModel] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    authorised: set[str | None] = field(default_factory=set)
    queued: int = 0
    scraped_queues: list[int] = field(default_factory=list)
    taking: asyncio.Event | None = None  # the profile is taken once this is set

    async def load(self, request: web.Request) -> web.Response:
        self.authorised.add(request.headers.get("Authorization"))
        self.models.append(msgspec.json.decode(await request.read(), type=RidgeModel))
        return web.Response(status=self.status)

    async def metrics(self, _request: web.Request) -> web.Response:
        self.queued, queued = max(0, self.queued - 2), self.queued  # the analyzer measures two between two scrapes
        self.scraped_queues.append(queued)
        return web.Response(text=f"pilotfish_exchanges_seen_total 10\npilotfish_exchanges_queued {queued}\n")

    async def put(self, request: web.Request) -> web.Response:
        self.authorised.add(request.headers.get("Authorization"))
        assert self.queued == 0
        self.profiles.append(Profile.from_bytes(await request.read()))
        if self.taking is not None:
            await self.taking.wait()
        return web.Response(status=self.status)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[AnyMessage]:
    messages: list[AnyMessage] = []
    monkeypatch.setattr("pilotfish.sidecar.demo.trainer.send_message", messages.append)
    return messages


@asynccontextmanager
async def trainer(folder: Path, neighbours: Neighbours) -> AsyncIterator[TestClient]:
    application = web.Application()
    application.router.add_post("/load", neighbours.load)
    application.router.add_get("/metrics", neighbours.metrics)
    application.router.add_put("/profile", neighbours.put)
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "token").write_text(TOKEN + "\n")
    async with TestServer(application) as around:
        settings = TrainerSettings(
            admin_url=str(around.make_url("")).rstrip("/"),
            load_url=str(around.make_url("/load")),
            token_file=str(folder / "token"),
            secret_file=str(folder / "secret"),
            wanted_days=3,
        )
        async with TestClient(TestServer(Trainer(settings).application())) as client:
            yield client


async def send_event(client: TestClient, identity: str = "e-1", secret: bytes = SECRET.encode()) -> int:
    data = {"model": "m", "version": "1", "episode": "ep", "detail": {"onset_tick": ONSET}}
    body = json.dumps({"specversion": "1.0", "id": identity, "type": "t", "data": data}).encode()
    timestamp = str(int(time.time()))
    headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, timestamp, body)}
    return (await client.post(HOOK_PATH, data=body, headers=headers)).status


async def send_days(client: TestClient, first_tick: int, days: int) -> None:
    flights = made.flights(days)
    for number in range(days):
        labels = labels_of(flights.days(number, number + 1), number, first_tick + number)
        assert (await client.post(LABELS_PATH, data=msgspec.json.encode(labels))).status == 200


@pytest.mark.asyncio
async def test_a_repeated_event_is_answered_and_retrains_nothing_more(tmp_path: Path, said: list[AnyMessage]) -> None:
    neighbours = Neighbours()
    async with trainer(tmp_path, neighbours) as client:
        assert await send_event(client) == 202
        assert await send_event(client) == 200
        await send_days(client, ONSET, 3)
        await eventually(lambda: any(isinstance(message, Retrained) for message in said), what="the retraining")
    assert [message.verdict for message in said if isinstance(message, WebhookDelivery)] == ["accepted", "repeated"]
    assert len(neighbours.models) == len(neighbours.profiles) == 1
    assert neighbours.authorised == {f"Bearer {TOKEN}"}


@pytest.mark.asyncio
async def test_only_rows_since_the_onset_are_learnt(tmp_path: Path, said: list[AnyMessage]) -> None:
    neighbours = Neighbours()
    async with trainer(tmp_path, neighbours) as client:
        await send_days(client, ONSET - 2, 4)
        assert await send_event(client) == 202
        await eventually(lambda: any(isinstance(message, GatheringRows) for message in said), what="gathering")
        assert not neighbours.models
        await send_days(client, ONSET + 2, 1)
        await eventually(lambda: any(isinstance(message, Retrained) for message in said), what="the retraining")
    retrained = next(message for message in said if isinstance(message, Retrained))
    assert retrained.rows == 3 * 200
    assert neighbours.profiles[0].hash == retrained.profile
    assert neighbours.profiles[0].reference.rows == 3 * 200


@pytest.mark.asyncio
async def test_the_profile_waits_until_all_predictions_of_the_old_model_are_measured(
    tmp_path: Path, said: list[AnyMessage]
) -> None:
    neighbours = Neighbours(queued=3)
    async with trainer(tmp_path, neighbours) as client:
        await send_days(client, ONSET, 3)
        assert await send_event(client) == 202
        await eventually(lambda: any(isinstance(message, Retrained) for message in said), what="the retraining")
    assert neighbours.scraped_queues == [3, 1, 0]
    assert len(neighbours.profiles) == 1


@pytest.mark.asyncio
async def test_labels_wait_for_the_new_profile_so_that_few_days_pass_meanwhile(
    tmp_path: Path, said: list[AnyMessage]
) -> None:
    taking = asyncio.Event()
    neighbours = Neighbours(taking=taking)
    async with trainer(tmp_path, neighbours) as client:
        assert await send_event(client) == 202
        await send_days(client, ONSET, 3)
        await eventually(lambda: neighbours.profiles, what="the profile")
        next_day = asyncio.create_task(send_days(client, ONSET + 3, 1))
        for _ in range(5):  # later requests are answered
            assert await send_event(client) == 200
        assert not next_day.done()
        taking.set()
        await next_day
    assert any(isinstance(message, Retrained) for message in said)


@pytest.mark.asyncio
async def test_an_event_with_another_signature_does_nothing(tmp_path: Path, said: list[AnyMessage]) -> None:
    neighbours = Neighbours()
    async with trainer(tmp_path, neighbours) as client:
        await send_days(client, ONSET, 3)
        assert await send_event(client, secret=b"guess") == 401
        assert await send_event(client, "e-2") == 202
        await eventually(lambda: any(isinstance(message, Retrained) for message in said), what="the retraining")
    assert len(neighbours.models) == 1


@pytest.mark.asyncio
async def test_a_server_that_refuses_the_model_is_reported(tmp_path: Path, said: list[AnyMessage]) -> None:
    neighbours = Neighbours(status=503)
    async with trainer(tmp_path, neighbours) as client:
        await send_days(client, ONSET, 3)
        assert await send_event(client) == 202
        await eventually(lambda: any(isinstance(message, ProcessFailure) for message in said), what="the problem")
    assert "503" in next(message.reason for message in said if isinstance(message, ProcessFailure))
    assert not neighbours.profiles
