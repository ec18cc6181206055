"""What saturates a model is named from the signals of its pods, and shown when more replicas do not help."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.control.manager.saturation import saturation
from pilotfish.sidecar.control.scale.facts import PodFacts, Sample
from pilotfish.sidecar.settings.scaling import ConcurrencySignal, LatencySignal, Scaling
from tests.control.manager.fleets import Fleet, signals_of

LATENCY = LatencySignal(quantile=0.95, target=0.5)
SETTINGS = Scaling(min_replicas=1, max_replicas=9, signals=(ConcurrencySignal(target=4), LATENCY))


def pods(count: int, in_flight: float | None = None, **fields: Any) -> list[PodFacts]:
    values = {} if in_flight is None else {"concurrency": Sample(in_flight, 0.0)}
    given = {"phase": "Running", "ready": True, "created_at": 0.0, "answering": True, "values": values, **fields}
    return [PodFacts(uid=f"uid-p{index}", name=f"p{index}", **given) for index in range(count)]


def sent(*shares: tuple[float | None, float | None]) -> dict[str, Any]:
    """Return two signals of each pod, with the shares of throttling and of the GPUs."""
    return {
        f"uid-p{index}": [(at, signals_of(f"p{index}", 1.0, throttled=cpu, gpu_busy=gpu)) for at in (0.0, 5.0)]
        for index, (cpu, gpu) in enumerate(shares)
    }


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ([(0.4, None), (0.2, None), (0.0, None)], "the CPU limit throttles 2 of 3 pods, for 30% of the time"),
        ([(0.04, None), (0.0, None)], "the CPU limit throttles none of 2 pods"),
        ([(0.5, None), (None, None)], "the CPU limit throttles 1 of 1 measured pod, for 50% of the time"),
        ([(None, 0.97), (None, 0.99)], "a kernel ran on the GPUs of 2 pods for 98% of the time, at least 90% in 2"),
        ([(None, 0.3), (None, 0.1)], "a kernel ran on the GPUs of 2 pods for 20% of the time"),
    ],
)
def test_throttling_and_gpus_are_named_with_their_figures(
    shares: list[tuple[float | None, float | None]], text: str
) -> None:
    assert saturation(pods(len(shares)), sent(*shares), SETTINGS) == (text,)


def test_requests_in_flight_are_compared_with_the_target() -> None:
    assert saturation(pods(2, 9.0), {}, SETTINGS) == ("each replica has 9 requests in flight, its target is 4",)
    without = Scaling(min_replicas=1, max_replicas=9, signals=(LATENCY,))
    assert saturation(pods(2, 9.0), {}, without) == ("each replica has 9 requests in flight",)


def test_pods_that_do_not_answer_say_nothing() -> None:
    shares = sent((0.4, 0.99))
    assert saturation(pods(1, answering=False), shares, SETTINGS) == ()
    assert saturation(pods(1, deleting=True), shares, SETTINGS) == ()
    assert saturation((), {}, SETTINGS) == ()


@pytest.mark.asyncio
async def test_when_more_replicas_do_not_help_the_message_says_what_saturates() -> None:
    fleet = Fleet(
        load=10.0,
        scaling={
            "minReplicas": 1, "maxReplicas": 9, "coldStart": {"assumed": "15s"},
            "signals": [
                {"type": "concurrency", "target": 10},
                {"type": "latency", "quantile": 0.95, "target": "500ms"},
            ],
        },
        make=lambda name, load: signals_of(name, load, latency_p95=2.0, throttled=0.4, gpu_busy=0.97),
    )  # fmt: skip
    await fleet.begin()
    await fleet.elapse(20 * 60.0)
    assert fleet.condition == "False/MoreReplicasDontHelp"
    message = fleet.shown["message"]
    assert f"the CPU limit throttles {fleet.replicas} of {fleet.replicas} pods, for 40% of the time" in message
    assert f"a kernel ran on the GPUs of {fleet.replicas} pods for 97% of the time" in message
    assert "requests in flight, its target is 10" in message
    assert "no signal says what saturates" not in message
    (told,) = [note for reason, note in fleet.small.events if reason == "MoreReplicasDontHelp"]
    assert "the CPU limit throttles" in told
