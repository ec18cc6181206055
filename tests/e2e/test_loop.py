"""The control loop: an alarm, one webhook, and the end of the episode by a new profile or by a person."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.control.receiver import Receiver
from tests.e2e.conftest import profile_of
from tests.e2e.load import Load, loaded, until
from tests.e2e.stack import DOCUMENT, Stack, total


async def start_drift(stack: Stack, receiver: Receiver, load: Load) -> str:
    """Shift the data until the webhook arrives, and return the id of the episode."""
    await until(stack.ready, "the analyzer process")
    load.shift = 3.0
    await until(lambda: receiver.arrivals, "the webhook")
    (episode,) = stack.episodes()
    return str(episode["id"])


async def wait_until_counted(stack: Stack, load: Load) -> None:
    """Wait until every exchange of a stopped load has counted and its tick is closed."""
    await until(lambda: total(stack.metrics(), "pilotfish_exchanges_total") == load.answered, "the last record")
    await until(lambda: stack.report()["ticks"]["open"] == [], "the end of the last tick")


async def wait_until_closed(stack: Stack, episode: str, closed_by: str) -> None:
    """Wait until a closed episode is listed; it must be `episode`, closed by `closed_by`."""
    await until(lambda: stack.episodes(opened=False), "the episode's end")
    (closed,) = stack.episodes(opened=False)
    assert (closed["id"], closed["closed_by"]) == (episode, closed_by)


def test_an_alarm_requests_one_retraining_and_a_new_profile_closes_it(stack: Stack, receiver: Receiver) -> None:
    stack.start()

    async def run() -> int:
        async with loaded(stack.listen) as load:
            episode = await start_drift(stack, receiver, load)
            status, body = stack.get("/profile", "PUT", profile_of(2, shift=3.0))
            assert status // 100 == 2, body
            await wait_until_closed(stack, episode, "profile")
        assert load.failures == []
        return load.answered

    answered = asyncio.run(run())
    assert total(stack.metrics(), "pilotfish_exchanges_seen_total") == answered
    (arrival,) = receiver.arrivals
    event = json.loads(arrival.body)
    assert arrival.signed
    assert (event["type"], event["subject"]) == ("dev.pilotfish.retraining.requested", "m/1")
    assert [feature["name"] for feature in event["data"]["detail"]["features"]] == ["a"]
    assert event["data"]["detail"]["features"][0]["effects"]["psi"]["value"] > 0.5
    page = stack.get("/report", accept="text/html")[1].decode()
    assert '<span class="badge delivered">delivered</span> drift' in page
    assert stack.stop() == 0


@pytest.mark.long
def test_a_person_closes_an_episode(stack: Stack, receiver: Receiver) -> None:
    stack.start()

    async def run() -> int:
        async with loaded(stack.listen) as load:
            episode = await start_drift(stack, receiver, load)
        await wait_until_counted(stack, load)  # drift in a later tick would reopen the episode
        status, body = stack.get(f"/episodes/{episode}/close", "POST", b"")
        assert status // 100 == 2, body
        await wait_until_closed(stack, episode, "person")
        assert load.failures == []
        return load.answered

    answered = asyncio.run(run())
    assert total(stack.metrics(), "pilotfish_exchanges_seen_total") == answered
    assert len(receiver.ids) == 1
    assert stack.get("/episodes/no-such-episode/close", "POST", b"")[0] == 404
    assert stack.get("/episodes/x/close", "POST", b"", token="another")[0] == 401
    assert stack.stop() == 0


@pytest.mark.long
def test_in_mode_recommend_the_intent_is_shown_and_not_sent(stack: Stack, receiver: Receiver) -> None:
    stack.write("monitor.yaml", (DOCUMENT % receiver.url).replace("mode: act", "mode: recommend"))
    stack.start()

    async def run() -> None:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(
                lambda: total(stack.metrics(), "pilotfish_intents_total", outcome="recommended") == 1, "the intent"
            )

    asyncio.run(run())
    assert receiver.arrivals == []
    assert [intent["state"] for intent in stack.report()["control"]["intents"]] == ["recommended"]
    assert stack.stop() == 0
