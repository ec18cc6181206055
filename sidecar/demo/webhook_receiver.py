"""The decision of a webhook receiver on each delivery. It is pure, so you can copy it into your own trainer.

Deliveries come at least once: the same event may arrive again, with the same id, and must not start a second
retraining.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ..control.webhook.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify

LARGEST_EVENT = 64 * 1024  # bytes
REMEMBERED = 10_000  # ids; far more than the retrainings within the time in which an event is sent again
STATUS = {"accepted": 202, "repeated": 200, "refused": 401, "malformed": 400}


class EpisodeDetail(msgspec.Struct):
    """The part of the episode that a retraining needs: the tick of the onset."""

    onset_tick: int


class EventData(msgspec.Struct):
    """The part of the event data that a retraining needs. `detail` is null in an event that would be too large."""

    model: str
    version: str
    episode: str
    detail: EpisodeDetail | None


class RetrainingEvent(msgspec.Struct):
    """A CloudEvents 1.0 event in structured mode; other attributes are ignored."""

    id: str
    type: str
    data: EventData


@dataclass(frozen=True, slots=True)
class DeliveryVerdict:
    """The decision on a delivery; `event` is set when it was accepted or repeated."""

    outcome: Literal["accepted", "repeated", "refused", "malformed"]
    reason: str
    event: RetrainingEvent | None = None


@dataclass
class WebhookReceiver:
    """Keeps the ids of accepted events; `secret` is the signing key."""

    secret: bytes
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def judge(self, headers: Mapping[str, str], body: bytes, now: float) -> DeliveryVerdict:
        """Return the verdict on a delivery that arrives at `now` (Unix seconds), and keep the id if it is accepted."""
        timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
        if not verify(self.secret, timestamp, body, signature, now=now):
            return DeliveryVerdict("refused", "signature or timestamp is wrong")
        try:
            event = msgspec.json.decode(body, type=RetrainingEvent)
        except msgspec.DecodeError as error:
            return DeliveryVerdict("malformed", f"not an event: {error}")
        if event.id in self._seen:
            return DeliveryVerdict("repeated", "the id was accepted before", event)
        self._seen[event.id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return DeliveryVerdict("accepted", "signature and timestamp are valid", event)
