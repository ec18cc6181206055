"""The model's server: predictions without a token, a new model only with the token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from pilotfish.sidecar.demo import wire
from pilotfish.sidecar.demo.model import fit
from pilotfish.sidecar.demo.server import LOAD_PATH, ModelServer
from tests.demo import made

FLIGHTS = made.flights(5)
MODEL = fit(FLIGHTS.columns, FLIGHTS.air_time)
SLOWER = fit(FLIGHTS.columns, FLIGHTS.air_time + 100)
ROWS = {name: values[:4] for name, values in FLIGHTS.columns.items()}


@asynccontextmanager
async def served() -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(ModelServer(MODEL, "token").application())) as client:
        yield client


async def predict(client: TestClient) -> list[float]:
    response = await client.post(wire.INFER_PATH, data=wire.encode_rows(ROWS, "x"))
    assert response.status == 200
    predictions: list[float] = wire.decode_predictions(await response.read()).tolist()
    return predictions


@pytest.mark.asyncio
async def test_it_is_ready_and_predicts() -> None:
    async with served() as client:
        assert (await client.get("/v2/health/ready")).status == 200
        assert await predict(client) == pytest.approx(MODEL.predict(ROWS).tolist(), abs=0.01)


@pytest.mark.asyncio
async def test_a_new_model_needs_the_token_and_serves_at_once() -> None:
    body = msgspec.json.encode(SLOWER)
    async with served() as client:
        assert (await client.post(LOAD_PATH, data=body)).status == 401
        assert await predict(client) == pytest.approx(MODEL.predict(ROWS).tolist(), abs=0.01)
        assert (await client.post(LOAD_PATH, data=body, headers={"Authorization": "Bearer token"})).status == 200
        assert await predict(client) == pytest.approx(SLOWER.predict(ROWS).tolist(), abs=0.01)


@pytest.mark.asyncio
async def test_what_is_no_request_or_no_model_is_refused() -> None:
    async with served() as client:
        assert (await client.post(wire.INFER_PATH, data=b"{}")).status == 400
        refused = await client.post(LOAD_PATH, data=b"{}", headers={"Authorization": "Bearer token"})
        assert refused.status == 400
        await predict(client)
