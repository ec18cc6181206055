"""What the recommender keeps between two evaluations: plain values in the checkpoint of the monitor.

It stays below 48 KiB. A later release may add fields with defaults.
"""

from __future__ import annotations

from typing import Self

import msgspec

from ...errors import PilotfishError

MAX_BYTES = 48 * 1024


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


class SignalState(msgspec.Struct, frozen=True, array_like=True):
    """The memory of one signal.

    Attributes:
        ratio, at: its last value divided by the target, and the time.
        loads: times and loads in replicas of the time of the smoothing, oldest first.
    """

    ratio: float
    at: float
    loads: tuple[tuple[float, float], ...] = ()


class GateStep(msgspec.Struct, frozen=True, array_like=True):
    """A step of the latency gate: to `goal` replicas, at `latency` seconds. `reached_at` is 0 until they are set.

    `before` is the number of replicas before the step, and `load` what the load alone proposed.
    """

    goal: int
    latency: float
    at: float
    reached_at: float = 0.0
    before: int = 0
    load: int = 0


class SlowReplicas(msgspec.Struct, frozen=True, array_like=True):
    """A number of replicas that was too slow when the load proposed `load`. `at` is when a step had ended that."""

    replicas: int
    load: int
    at: float


class GateState(msgspec.Struct, frozen=True, array_like=True):
    """The memory of the latency gate.

    It has the open step, the steps without benefit in a row, whether the gate gave up, what was too slow, and since
    when the latency is above its target, in epoch seconds; 0 while it is not.
    """

    step: GateStep | None = None
    futile: int = 0
    gave_up: bool = False
    slow: SlowReplicas | None = None
    above_since: float = 0.0


class StartupState(msgspec.Struct, frozen=True, array_like=True):
    """Start-up times of replicas in seconds, newest last, and the UIDs of the pods that do not answer yet.

    `at` is the time of the last evaluation. A pod that was created before it is known, and starts only once.
    """

    times: tuple[float, ...] = ()
    waiting: tuple[str, ...] = ()
    at: float = 0.0


class ArrivalState(msgspec.Struct, frozen=True, array_like=True):
    """How long a request is in flight near the target, 0 before it was learned, and the recent arrivals per second.

    `in_flight` and `at` are those of the last evaluation.
    """

    service_time: float = 0.0
    in_flight: float = 0.0
    at: float = 0.0
    rates: tuple[float, ...] = ()


class LoadHistory(msgspec.Struct, frozen=True, array_like=True):
    """The load of past periods, in bins.

    Attributes:
        period: in seconds.
        periods: the bins of each complete or begun period, oldest first: uint16, see `forecast.py`.
        index: the number of the open bin since the epoch.
        total, count: the sum and number of the loads in the open bin.
        skill: the share of the error that the forecast avoided over the last period; None before it was measured.
    """

    period: float = 0.0
    periods: tuple[bytes, ...] = ()
    index: int = -1
    total: float = 0.0
    count: int = 0
    skill: float | None = None


class ScaleState(msgspec.Struct, frozen=True):
    """The memory of the recommender of one target.

    Attributes:
        recommended: recent numbers before the stabilisation, oldest first.
        ups, downs: recent changes of the replicas by direction.
        periods: the longest periods of the policies upward and downward, in seconds.
        signals: by the id of the signal.
        gate, startup, arrivals, history: of the latency gate, the start-up times, the queue and the forecast.
    """

    recommended: tuple[Recommended, ...] = ()
    ups: tuple[ScaleEvent, ...] = ()
    downs: tuple[ScaleEvent, ...] = ()
    periods: tuple[float, float] = (0.0, 0.0)
    signals: dict[str, SignalState] = {}
    gate: GateState = GateState()
    startup: StartupState = StartupState()
    arrivals: ArrivalState = ArrivalState()
    history: LoadHistory = LoadHistory()

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
            raise ScaleStateError(
                f"state of the replicas: {len(data)} bytes, more than {MAX_BYTES}; it starts from zero"
            )
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ScaleStateError(f"state of the replicas: cannot be read ({error}); it starts from zero") from error


def scaled(state: ScaleState, before: int, after: int, at: float) -> ScaleState:
    """Return the state after the replicas were changed at the time `at`; unchanged if it has this event already.

    As in autoscaling/v2, an event that no policy of its direction needs any more makes room for the new one.
    """
    if before == after or any(event.at == at for event in (*state.ups, *state.downs)):
        return state
    up = after > before
    events = list(state.ups if up else state.downs)
    cutoff = at - state.periods[0 if up else 1]
    outdated = [index for index, event in enumerate(events) if event.at < cutoff]
    if outdated:
        events[outdated[-1]] = ScaleEvent(before, after, at)
    else:
        events.append(ScaleEvent(before, after, at))
    return msgspec.structs.replace(state, **{"ups" if up else "downs": tuple(events)})
