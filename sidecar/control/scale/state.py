"""What the recommender keeps between two evaluations: plain values in the checkpoint of the monitor.

It stays below 32 KiB. A later release may add fields with defaults.
"""

from __future__ import annotations

from typing import Self

import msgspec

from ...errors import PilotfishError

MAX_BYTES = 32 * 1024


class ScaleStateError(PilotfishError):
    """Stored bytes are not a ScaleState."""


class Recommended(msgspec.Struct, frozen=True, array_like=True):
    """A number of replicas before the stabilisation, and the time in epoch seconds."""

    replicas: int
    at: float


class ScaleEvent(msgspec.Struct, frozen=True, array_like=True):
    """A change of the replicas that took effect, and its time in epoch seconds."""

    before: int
    after: int
    at: float


class ScaleState(msgspec.Struct, frozen=True):
    """The memory of the recommender of one target.

    Attributes:
        recommended: recent numbers before the stabilisation, oldest first.
        events: recent changes of the replicas, oldest first.
    """

    recommended: tuple[Recommended, ...] = ()
    events: tuple[ScaleEvent, ...] = ()

    def encode(self) -> bytes:
        """Return the state as MessagePack, at most MAX_BYTES."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return a stored state.

        Raises:
            ScaleStateError: the bytes are damaged, or of a later release.
        """
        if len(data) > MAX_BYTES:
            raise ScaleStateError(f"state of the replicas: {len(data)} bytes, more than {MAX_BYTES}; it starts anew")
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ScaleStateError(f"state of the replicas: cannot be read ({error}); it starts anew") from error


def scaled(state: ScaleState, before: int, after: int, at: float) -> ScaleState:
    """Return the state after the replicas were changed at the time `at`; unchanged if it has an event of this time."""
    if before == after or any(event.at == at for event in state.events):
        return state
    events = sorted((*state.events, ScaleEvent(before, after, at)), key=lambda event: event.at)
    return msgspec.structs.replace(state, events=tuple(events))
