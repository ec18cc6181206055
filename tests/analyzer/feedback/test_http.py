"""POST /v1/feedback over HTTP: the status shows whether to retry, and the response has the outcome of each label."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.labels import cloudevents as events
from pilotfish.sidecar.labels.items import MAX_LABELS
from tests.analyzer.test_http import TOKEN, Served, served
from tests.support.waiting import eventually

JSON = {"Content-Type": "application/json"}
DIRECT = {"label": "blue", "prediction": "green"}


async def post(one: Served, content: object, **headers: str) -> tuple[int, dict[str, Any]]:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, text = await one.send("POST", "/v1/feedback", raw, {**JSON, **headers})
    return status, json.loads(text)


async def outcomes(one: Served) -> dict[str, int]:
    _, text, _ = await one.get("/report")
    return {item["outcome"]: item["labels"] for item in json.loads(text)["feedback"]["labels"] if item["labels"]}


@pytest.mark.asyncio
async def test_labels_are_answered_with_counts_and_problems(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        status, answer = await post(one, {"feedback": [DIRECT, {"id": "gone", "label": 1}, {"id": "a", "row": -1}]})
        assert status == 200
        assert (answer["direct"], answer["unknown"], answer["invalid"], answer["judged"]) == (1, 1, 1, 0)
        assert "not scored" in answer["note"]
        assert [item["index"] for item in answer["problems"]] == [2, 1]
        assert answer["problems"][0]["path"] == "$.feedback[2].row"
        await eventually(lambda: one.app.report.feedback.labels[0].labels == 1, what="the direct label")
        assert await outcomes(one) == {"direct": 1, "unknown": 1, "invalid": 1}
        _, text, _ = await one.get("/metrics")
        assert 'pilotfish_feedback_total{outcome="direct"} 1.0' in text


@pytest.mark.asyncio
async def test_unreadable_items_give_400_and_are_counted(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        assert (await post(one, {"id": "a", "row": -1, "label": 1}))[0] == 400
        status, answer = await post(one, {"id": 7, "label": 1})
        assert (status, answer["error"]) == (400, "$.id is 7; give the request's id as text of 1 to 1024 characters")
        assert (await post(one, b"x", **{"Content-Type": "text/plain"}))[0] == 400
        assert (await post(one, {"id": "a", "labels": [1] * (MAX_LABELS + 1)}))[0] == 413
        await eventually(lambda: one.app.report.feedback.labels[2].labels == 4, what="4 invalid")


@pytest.mark.asyncio
async def test_the_same_delivery_counts_once(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/labels", "type": "label", "data": {"feedback": [DIRECT] * 3}}
    async with served(tmp_path) as one:
        kind = {"Content-Type": events.STRUCTURED}
        answers = [await post(one, event, **kind) for _ in range(2)]
        assert [(status, answer["direct"], answer["duplicate"]) for status, answer in answers] == [
            (200, 3, 0),
            (200, 0, 3),
        ]
        answers = [await post(one, DIRECT, **{"Idempotency-Key": "k"}) for _ in range(2)]
        assert [answer["duplicate"] for _, answer in answers] == [0, 1]


@pytest.mark.asyncio
async def test_labels_require_the_token_and_are_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(tmp_path, token=True) as one:
        secret = {"feedback": [{"id": "very-secret-id", "label": "very-secret-label", "row": -1}]}
        assert (await post(one, secret))[0] == 401
        assert (await post(one, secret, Authorization=f"Bearer {TOKEN}"))[0] == 400
        assert (await post(one, secret, Authorization=f"Bearer {TOKEN}", Origin="http://evil"))[0] == 403
        assert (await one.get("/v1/feedback", Authorization=f"Bearer {TOKEN}"))[0] == 405
        _, shown, _ = await one.get("/report", Authorization=f"Bearer {TOKEN}")
    assert "very-secret" not in caplog.text + shown


@pytest.mark.asyncio
async def test_concurrent_clients_get_their_own_responses(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        found = await asyncio.gather(*(post(one, {"feedback": [DIRECT] * count}) for count in range(1, 30)))
        assert [answer["direct"] for _, answer in found] == list(range(1, 30))


@pytest.mark.asyncio
async def test_compressed_bodies_and_binary_events_are_accepted(tmp_path: Path) -> None:
    async with served(tmp_path) as one:
        raw = json.dumps({"feedback": [DIRECT] * 2}).encode()
        status, answer = await post(one, gzip.compress(raw), **{"Content-Encoding": "gzip"})
        assert (status, answer["direct"]) == (200, 2)
        event = {"ce-specversion": "1.0", "ce-id": "e", "ce-source": "/s", "ce-type": "t"}
        answers = [await post(one, raw, **event) for _ in range(2)]
        assert [answer["duplicate"] for _, answer in answers] == [0, 2]
        status, answer = await post(one, b"not gzip", **{"Content-Encoding": "gzip"})
        assert status == 400
