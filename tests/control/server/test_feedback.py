"""`POST /v1/feedback`: the caller's right, the forms of the body, and the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pilotfish.sidecar.control.manager.server import label_desk, views
from pilotfish.sidecar.control.manager.server.backend import AlertsAnswer, MayCreate
from pilotfish.sidecar.labels.labels import request_key
from pilotfish.sidecar.sync.messages import LabelResults, SignalsResponse, decode, encode
from tests.control.server.made import MONITOR, NAMESPACE, Served, SmallBackend, pod, serving, signals, token
from tests.control.server.test_label_desk import SmallPod
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio
PATH = f"/v1/feedback?namespace={NAMESPACE}&monitor={MONITOR}"
JSON = {"Content-Type": "application/json"}


async def fetch(served: Served, number: int, subject: SmallPod) -> None:
    """Do what a pod does: fetch labels with the signals, and send their results until there are no more."""
    while True:
        status, body, _ = await served.post("/v1/signals", encode(signals(number)), token(number))
        assert status == 200
        while found := decode(body, SignalsResponse).labels:
            results = tuple(subject.answer(delivery) for delivery in found)
            message = LabelResults(pod=pod(number), monitor=MONITOR, results=results)
            _, body, _ = await served.post("/v1/labels", encode(message), token(number))
        await asyncio.sleep(0.05)


@asynccontextmanager
async def fleet(*pods: SmallPod) -> AsyncIterator[Served]:
    async with serving() as served:
        served.reviews.rights.add(("system:serviceaccount:etl:labels", "create feedback", NAMESPACE, MONITOR))
        tasks = [asyncio.create_task(fetch(served, number, one)) for number, one in enumerate(pods, 1)]
        await eventually(lambda: len(served.backend.signalled) >= len(pods), what="the signals of all pods")
        try:
            yield served
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_labels_reach_the_pods_and_are_counted_once() -> None:
    one, other = SmallPod("uid-1", {request_key("a")}), SmallPod("uid-2", {request_key("b")})
    async with fleet(one, other) as served:
        body = {"feedback": [{"id": "a", "label": 1}, {"id": "b", "label": 0}, {"id": "c", "label": 0}]}
        for joined, duplicate in ((2, 0), (0, 2)):
            status, raw, _ = await served.post(PATH, json.dumps(body).encode(), "labeller", JSON)
            found = json.loads(raw)
            assert (status, found["joined"], found["duplicate"], found["unknown"]) == (200, joined, duplicate, 1)
            assert (found["pods"], found["silent"], len(found["problems"])) == (2, 0, 1)
        _, raw, _ = await served.send("GET", "/metrics")
        assert f'pilotfish_control_feedback_total{{monitor="{MONITOR}"' in raw.decode()


async def test_labels_that_a_silent_pod_may_know_are_to_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_desk, "COUNT_SECONDS", 0.5)
    async with fleet(SmallPod("uid-1")) as served:
        status, raw, headers = await served.post(PATH, b'{"id": "x", "label": 1}', "labeller", JSON)
        found = json.loads(raw)
        assert (status, found["undecided"], found["silent"]) == (503, 1, 1)
        assert headers["Retry-After"] == "10"


async def test_a_caller_without_the_right_is_told_which_role_it_needs() -> None:
    async with serving() as served:
        status, raw, _ = await served.post(PATH, b'{"id": "x", "label": 1}', "labeller", JSON)
        assert (status, "modelmonitors/feedback" in json.loads(raw)["error"]) == (403, True)


@pytest.mark.parametrize(
    "query", ["", "?namespace=shop", "?namespace=shop&monitor=a&monitor=b", "?namespace=..%2f&monitor=a"]
)
async def test_a_query_without_one_monitor_is_refused(query: str) -> None:
    async with serving() as served:
        assert (await served.post(f"/v1/feedback{query}", b"{}", "labeller", JSON))[0] == 400


async def test_bodies_are_refused_as_a_sidecar_refuses_them() -> None:
    async with fleet(SmallPod("uid-1"), SmallPod("uid-2")) as served:
        for body, status in ((b"", 400), (b"[1]", 400), (b'{"id": "x", "labels": 1}', 400), (b" " * (5 << 20), 413)):
            assert (await served.post(PATH, body, "labeller", JSON))[0] == status


async def test_a_monitor_that_is_not_known_is_404() -> None:
    async with serving() as served:
        served.reviews.rights.add(("system:serviceaccount:etl:labels", "create feedback", NAMESPACE, "gone"))
        path = f"/v1/feedback?namespace={NAMESPACE}&monitor=gone"
        assert (await served.post(path, b'{"id": "x", "label": 1}', "labeller", JSON))[0] == 404


async def test_alerts_need_their_own_right() -> None:
    async with serving() as served:
        _, raw, _ = await served.post("/v1/alerts", b"{}", "labeller", JSON)
        assert json.loads(raw) == {"accepted": 0, "ignored": 1, "problems": []}
        served.reviews.rights.add(("system:serviceaccount:shop:default", "create alerts", NAMESPACE, MONITOR))
        _, raw, _ = await served.post("/v1/alerts", b"{}", "pod-1", JSON)
        assert json.loads(raw) == {"accepted": 1, "ignored": 0, "problems": []}


class ManyAlerts(SmallBackend):
    """Asks for the right on many monitors, and on what is no name."""

    async def alerts(self, body: bytes, may_create: MayCreate) -> AlertsAnswer:
        assert not await may_create("", "a/b")
        for number in range(10_000):
            await may_create(NAMESPACE, f"monitor-{number}")
        return AlertsAnswer()


async def test_one_request_cannot_cause_any_number_of_reviews() -> None:
    async with serving(ManyAlerts()) as served:
        status, _, _ = await served.post("/v1/alerts", b"{}", "labeller", JSON)
        assert (status, served.reviews.asked.count("SubjectAccessReview")) == (413, views.MAX_ALERTED)
