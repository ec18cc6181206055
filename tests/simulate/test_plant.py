"""Laws of the simulated service: nothing is lost, nothing is negative, more replicas are never worse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.simulate.errors import PlantError
from pilotfish.sidecar.simulate.plant import STEP, Plant, Service, StepResult
from pilotfish.sidecar.simulate.queueing import ReplicaQueue, replica_queue
from tests.support.examples import examples

SERVICES = st.builds(
    lambda time, slots, startup, factor: Service(
        service_time=time, slots=slots, startup=startup, target=factor * time, gives_up_after=60.0
    ),
    st.floats(0.001, 20.0),
    st.integers(1, 40),
    st.floats(0.0, 300.0),
    st.floats(3.5, 40.0),
)
ARRIVALS = st.lists(st.integers(0, 5000).map(float), min_size=1, max_size=60)


def ran(service: Service, arrivals: list[float], replicas: list[int]) -> list[StepResult]:
    """Return the steps with so many replicas in each; the first ones are ready at the start."""
    plant = Plant(service, replicas[0], 0.0)
    found = []
    for place, (count, wanted) in enumerate(zip(arrivals, replicas, strict=True)):
        plant.scale(wanted, place * STEP)
        found.append(plant.step(count, place * STEP))
    return found


@given(SERVICES, ARRIVALS, st.data())
@settings(max_examples=examples(60), deadline=None)
def test_every_request_is_completed_given_up_or_inside(
    service: Service, arrivals: list[float], data: st.DataObject
) -> None:
    replicas = data.draw(st.lists(st.integers(0, 12), min_size=len(arrivals), max_size=len(arrivals)))
    before = 0.0
    for step in ran(service, arrivals, replicas):
        assert min(step.completed, step.given_up, step.inside, step.slow, step.busy) >= 0.0
        assert max(step.slow, step.busy) <= 1.0
        assert before + step.arrived == pytest.approx(step.completed + step.given_up + step.inside, abs=1e-6)
        assert step.completed <= step.ready * service.capacity * STEP * (1 + 1e-9) + 1e-6
        before = step.inside


@given(SERVICES, ARRIVALS, st.data())
@settings(max_examples=examples(60), deadline=None)
def test_more_replicas_are_never_worse(service: Service, arrivals: list[float], data: st.DataObject) -> None:
    few = data.draw(st.lists(st.integers(0, 12), min_size=len(arrivals), max_size=len(arrivals)))
    more = [count + data.draw(st.integers(0, 5)) for count in few]
    now = Service(service_time=service.service_time, slots=service.slots, startup=0.0, target=service.target)
    for less, most in zip(ran(now, arrivals, few), ran(now, arrivals, more), strict=True):
        assert most.inside <= less.inside + 1e-6
        assert most.slow <= less.slow + 1e-9


def test_a_new_replica_serves_after_its_start_up_time() -> None:
    service = Service(service_time=0.1, slots=1, startup=20.0, target=1.0)
    plant = Plant(service, 1, 0.0)
    plant.scale(2, 0.0)
    assert [plant.step(1.0, at).ready for at in (0.0, 15.0, 20.0)] == [1, 1, 2]


def test_unready_replicas_are_removed_first() -> None:
    plant = Plant(Service(service_time=0.1, slots=1, startup=60.0, target=1.0), 3, 0.0)
    plant.scale(5, 10.0)
    plant.scale(3, 20.0)
    assert plant.step(0.0, 20.0).ready == 3


def test_clients_give_up_after_their_timeout_if_no_replica_is_ready() -> None:
    plant = Plant(Service(service_time=0.1, slots=1, startup=0.0, target=1.0, gives_up_after=10.0), 0, 0.0)
    steps = [plant.step(7.0, place * STEP) for place in range(4)]
    assert [step.inside for step in steps] == [7.0, 14.0, 14.0, 14.0]
    assert [step.given_up for step in steps] == [0.0, 0.0, 7.0, 7.0]
    assert all(step.slow == 1.0 for step in steps)


def steady(queue: ReplicaQueue, rate: float) -> float:
    """Return the number of requests in a replica after a long time under a constant rate."""
    inside = 0.0
    for _ in range(3000):
        inside = queue.after(inside + rate * STEP)
    return inside


@pytest.mark.parametrize(("slots", "busy"), [(1, 0.5), (1, 0.9), (4, 0.7), (16, 0.95)])
def test_under_a_constant_rate_the_queue_is_that_of_erlang(slots: int, busy: float) -> None:
    queue = replica_queue(0.25, slots, STEP, 1.0, 0.95)
    offered = slots * busy
    lost = [offered**count / math.factorial(count) for count in range(slots + 1)]
    blocked = lost[-1] / sum(lost)
    waits = blocked / (1 - busy * (1 - blocked))
    expected = offered + waits * busy / (1 - busy)
    assert steady(queue, offered / 0.25) == pytest.approx(expected, rel=0.01)


def test_with_one_slot_the_response_time_is_that_of_m_m_1() -> None:
    queue = replica_queue(0.25, 1, STEP, 1.0, 0.95)
    inside = steady(queue, 0.5 / 0.25)
    assert queue.latency(inside) == pytest.approx(-math.log(0.05) * 0.5, rel=0.01)
    assert queue.slow(inside) == pytest.approx(math.exp(-1.0 / 0.5), rel=0.01)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        (Service(service_time=0.4, slots=1, startup=1.0, target=1.0), "no number of replicas meets it"),
        (Service(service_time=0.0, slots=1, startup=1.0, target=1.0), "service time 0 s"),
        (Service(service_time=math.nan, slots=1, startup=1.0, target=1.0), "service time nan s"),
        (Service(service_time=0.1, slots=1, startup=1.0, target=1e9), "latency target 1e+09 s"),
        (Service(service_time=0.1, slots=1, startup=1e9, target=1.0), "start-up time 1e+09 s"),
        (Service(service_time=0.1, slots=0, startup=1.0, target=1.0), "give --concurrency-limit"),
        (Service(service_time=0.1, slots=10**9, startup=1.0, target=1.0), "give --concurrency-limit"),
    ],
)
def test_an_impossible_service_is_refused(service: Service, told: str) -> None:
    with pytest.raises(PlantError) as error:
        Plant(service, 1, 0.0)
    assert told in str(error.value)
