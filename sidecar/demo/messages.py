"""Messages of the demo's processes: one JSON object per line on standard output, each with its `type`."""

from __future__ import annotations

import sys

import msgspec


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """A process accepts requests at 127.0.0.1:`port`; 0 if it serves none."""

    port: int


class DayReplayed(msgspec.Struct, frozen=True, kw_only=True, tag="day"):
    """The replay has sent one day of flights and has all responses.

    number         days since 1 May 2013
    tick           the second, since the epoch, in which the day began
    rows, requests what was sent; `failures` are requests without a usable response
    changed        the injected change was in force
    error          mean absolute error of the predictions, minutes; `close` is the share of them within 15 minutes
    direct, added  milliseconds, from paired calls: the median straight to the server, and what the proxy adds to it

    The last three are 0 on a day without a single good answer.
    """

    number: int
    tick: int
    rows: int
    requests: int
    failures: int
    changed: bool
    error: float
    close: float
    direct: float
    added: float


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True, tag="delivery"):
    """A webhook reached the trainer; `verdict` is accepted, repeated or refused, for `reason`."""

    verdict: str
    reason: str
    id: str = ""
    episode: str = ""


class GatheringRows(msgspec.Struct, frozen=True, kw_only=True, tag="gathering"):
    """The trainer has labelled rows of `days` days since the onset (tick `onset`), and waits for `wanted`."""

    days: int
    wanted: int
    onset: int


class Retrained(msgspec.Struct, frozen=True, kw_only=True, tag="retrained"):
    """The trainer has put a new model into the server and put a new profile into force (`profile`: its hash)."""

    rows: int
    profile: str


class ProcessFailure(msgspec.Struct, frozen=True, kw_only=True, tag="problem"):
    """A process cannot do its part, for `reason`; it continues or ends."""

    reason: str


AnyMessage = Ready | DayReplayed | WebhookDelivery | GatheringRows | Retrained | ProcessFailure
_DECODER: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)


def send_message(message: AnyMessage) -> None:
    """Write `message` to standard output at once."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def reason_of(error: Exception) -> str:
    """Return the message of `error`, or its name when its message is empty, as for TimeoutError."""
    return str(error) or type(error).__name__


def parse_message(line: bytes) -> AnyMessage:
    """Return the message in `line`; raise msgspec.DecodeError if there is none."""
    return _DECODER.decode(line)
