"""Notifications of a complete `pilotfish run` whose analyzer process is killed, while receivers fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.control.receiver import Receiver, receiving
from tests.e2e.conftest import profile_of
from tests.e2e.load import loaded, until
from tests.e2e.stack import DOCUMENT, Stack, total
from tests.support.waiting import wait_until

NOTIFY = """
  notify:
    - {name: chat, webhook: {urlFile: chat.url, format: slack}}
    - {name: on-call, webhook: {url: "%s", secretFile: secret}}
"""
OPENED, CLOSED = "dev.pilotfish.alarm.opened", "dev.pilotfish.alarm.closed"


@pytest.fixture
def chat() -> Iterator[Receiver]:
    with receiving(["die", "500", "200"]) as one:
        yield one


def types(receiver: Receiver) -> list[str]:
    return [json.loads(arrival.body)["type"] for arrival in receiver.arrivals]


@pytest.mark.long
def test_kills_and_failures_lose_and_double_no_notification(stack: Stack, receiver: Receiver, chat: Receiver) -> None:
    receiver.script[:] = ["500", "die", "200"]
    stack.write("chat.url", f"{chat.url}services/T0/S3CRET")
    document = DOCUMENT.partition("  retrain:")[0] + NOTIFY
    stack.write("monitor.yaml", document.replace("mode: act", "mode: observe") % receiver.url)
    stack.start()

    async def run() -> None:
        async with loaded(stack.listen) as load:
            await until(stack.ready, "the analyzer process")
            load.shift = 3.0
            for attempts in (1, 2):  # each of them failed
                await until(lambda n=attempts: len(receiver.arrivals) >= n, "an attempt")  # type: ignore[misc]
                stack.kill_analyzer()
                await until(stack.ready, "the next analyzer process")
            await until(lambda: len(receiver.arrivals) >= 3 and len(chat.arrivals) >= 3, "both notifications")
            status, body = stack.get("/profile", "PUT", profile_of(2, shift=3.0))
            assert status // 100 == 2, body
            await until(lambda: CLOSED in types(receiver) and len(chat.arrivals) >= 4, "the end")
        assert load.failures == []

    asyncio.run(run())
    stack.kill_analyzer()
    asyncio.run(until(stack.ready, "the last analyzer process"))
    assert len(receiver.ids) == 2
    assert set(types(receiver)) == {OPENED, CLOSED}
    assert len(chat.ids) == 2
    assert all(arrival.signed for arrival in receiver.arrivals)
    texts = {json.loads(arrival.body)["text"] for arrival in chat.arrivals}
    assert sorted(text.partition(":")[0].partition(" after")[0] for text in texts) == [
        "Drift alarm for model m version 1", "Drift alarm for model m version 1 has ended",
    ]  # fmt: skip

    def delivered() -> bool:  # what was killed before it was written down is delivered again, with the same id
        metrics = stack.metrics()
        executed = total(metrics, "pilotfish_intents_total", kind="notify", outcome="executed")
        return (total(metrics, "pilotfish_outbox_waiting"), executed) == (0, 4)

    wait_until(delivered, what="an empty outbox")
    for path in ("/config", "/report", "/metrics"):
        assert b"S3CRET" not in stack.get(path)[1]
    assert "S3CRET" not in stack.run.errors()
    assert stack.stop() == 0
