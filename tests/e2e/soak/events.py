"""What a receiver got during faults: which events, for which episodes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from random import Random

from tests.control.receiver import Receiver
from tests.e2e.conftest import profile_of
from tests.e2e.load import until
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import DOCUMENT, Stack
from tests.support.sizes import size

ALLOWED_REPEATS = size(1, 2)
ANSWERS = ("200", "200", "500", "die")  # of the receiver


def prepare(stack: Stack, receiver: Receiver, random: Random, faults: int) -> None:
    """Let each episode send its own event, so that many events are on their way during the faults."""
    stack.write("monitor.yaml", (DOCUMENT % receiver.url).replace("cooldown: 1h", "cooldown: 1s"))
    receiver.script[:] = [*(random.choice(ANSWERS) for _ in range(2 * faults)), "200"]


async def open_another_episode(stack: Stack, number: int) -> None:
    """Put a profile that the traffic does not match: a new episode opens under it."""
    await until(stack.ready, "the analyzer", timeout=SLOW)
    profile = await asyncio.to_thread(profile_of, 100 + number)
    await asyncio.to_thread(stack.get, "/profile", "PUT", profile)  # a kill may cut it off: then the old one stays


def ids_by_cause(receiver: Receiver) -> dict[str, set[str]]:
    """Return the event ids of each episode."""
    found: dict[str, set[str]] = {}
    for arrival in receiver.arrivals:
        found.setdefault(json.loads(arrival.body)["data"]["episode"], set()).add(arrival.id)
    return found


def delivered_all(stack: Stack, receiver: Receiver) -> bool:
    """Return whether each open episode has an event that the receiver took."""
    taken = {arrival.id for arrival in receiver.arrivals if arrival.answer == "200"}
    sent = {cause for cause, ids in ids_by_cause(receiver).items() if ids <= taken}
    opened = {episode["id"] for episode in stack.episodes()}
    return bool(opened) and opened <= sent


def assert_one_event_per_episode(receiver: Receiver) -> None:
    causes = ids_by_cause(receiver)
    progress(f"{len(receiver.arrivals)} attempts to send {len(receiver.ids)} events for {len(causes)} episodes")
    assert [ids for ids in causes.values() if len(ids) > 1] == []
    bodies = {(arrival.id, arrival.body) for arrival in receiver.arrivals}
    assert len(bodies) == len(receiver.ids), "an event changed between two attempts"
    # Only a kill between the receiver's answer and the write to the outbox repeats a delivery, under the same id.
    taken = Counter(arrival.id for arrival in receiver.arrivals if arrival.answer == "200")
    repeated = {name: count for name, count in taken.items() if count > 1}
    assert len(repeated) <= ALLOWED_REPEATS, f"events taken twice: {repeated}"
