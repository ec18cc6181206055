"""What a receiver got during faults: which events, for which episodes."""

from __future__ import annotations

import json
from collections import Counter

from tests.control.receiver import Receiver
from tests.e2e.soak.sizes import progress, size
from tests.e2e.stack import Stack

ALLOWED_REPEATS = size(1, 2)


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
