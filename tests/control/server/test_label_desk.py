"""Labels are counted once, by the pod that has their prediction, whatever pods repeat, lose, or leave unanswered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.callers.errors import RefusedRequestError
from pilotfish.sidecar.control.manager.server import label_desk
from pilotfish.sidecar.control.manager.server.backend import MonitorPods
from pilotfish.sidecar.control.manager.server.label_desk import LabelDesk
from pilotfish.sidecar.labels.labels import DIRECT, DUPLICATE, JOINED, OUTCOMES, UNKNOWN, Label, LabelBatch
from pilotfish.sidecar.sync.messages import LabelDelivery, LabelResult
from tests.support.examples import examples

MONITOR = ("shop", "prices")


class SmallPod:
    """Knows some keys, counts each label once, and answers unless it is `mute`."""

    def __init__(self, uid: str, known: Iterable[int] = (), *, mute: bool = False) -> None:
        self.uid = uid
        self.known = set(known)
        self.mute = mute
        self.counted: list[int] = []

    def answer(self, delivery: LabelDelivery) -> LabelResult:
        labels = msgspec.msgpack.decode(delivery.labels, type=LabelBatch).labels
        outcomes = bytes(OUTCOMES.index(self._outcome(label, count=not delivery.look_up)) for label in labels)
        return LabelResult(id=delivery.id, outcomes=outcomes, judged=0 if delivery.look_up else len(labels))

    def _outcome(self, label: Label, *, count: bool) -> str:
        if label.key and label.key in self.counted:
            return DUPLICATE
        if not label.direct and label.key not in self.known:
            return UNKNOWN
        if count:
            self.counted.append(label.key)
        return DIRECT if label.direct else JOINED

    async def run(self, desk: LabelDesk) -> None:
        while True:
            deliveries = await desk.collect(self.uid, MONITOR, hold=0.01)
            if not self.mute:
                desk.settle(self.uid, [self.answer(delivery) for delivery in deliveries])
            await asyncio.sleep(0)


@asynccontextmanager
async def running(*pods: SmallPod, clock: Callable[[], float] | None = None) -> AsyncIterator[LabelDesk]:
    desk = LabelDesk(clock or asyncio.get_running_loop().time)
    tasks = [asyncio.create_task(pod.run(desk)) for pod in pods]
    await asyncio.sleep(0)
    try:
        yield desk
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def deliveries(desk: LabelDesk) -> tuple[LabelDelivery, ...]:
    """Return the first deliveries of the pod `a`."""
    while not (found := await desk.collect("a", MONITOR, hold=0.01)):
        pass
    return found


def label(key: int, *, direct: bool = False) -> Label:
    return Label(0, key, 0, 1, direct=direct, prediction=1 if direct else None)


def present(*pods: SmallPod, left: bool = False) -> MonitorPods:
    return MonitorPods(uids=frozenset(pod.uid for pod in pods), left=left)


@pytest.mark.asyncio
async def test_each_label_is_counted_by_the_pod_that_knows_its_id() -> None:
    one, other = SmallPod("a", {1}), SmallPod("b", {2})
    async with running(one, other) as desk:
        tally = await desk.count(MONITOR, [label(1), label(2), label(3)], present(one, other))
        assert tally.outcomes == [JOINED, JOINED, UNKNOWN]
        assert (one.counted, other.counted, tally.judged) == ([1], [2], 2)


@pytest.mark.asyncio
async def test_an_id_that_two_pods_know_is_counted_once() -> None:
    one, other = SmallPod("a", {1}), SmallPod("b", {1})
    async with running(one, other) as desk:
        assert (await desk.count(MONITOR, [label(1)], present(one, other))).outcomes == [JOINED]
        assert one.counted + other.counted == [1]


@pytest.mark.asyncio
async def test_a_repeated_label_is_a_duplicate_also_after_its_pod_has_left() -> None:
    one, other = SmallPod("a", {1}), SmallPod("b")
    async with running(one, other) as desk:
        await desk.count(MONITOR, [label(1)], present(one, other))
        assert (await desk.count(MONITOR, [label(1)], present(other, left=True))).outcomes == [DUPLICATE]


@pytest.mark.asyncio
async def test_a_label_with_its_prediction_is_counted_by_one_pod() -> None:
    one, other = SmallPod("a"), SmallPod("b")
    async with running(one, other) as desk:
        tally = await desk.count(MONITOR, [label(key, direct=True) for key in (5, 6, 7, 5)], present(one, other))
        assert tally.outcomes == [DIRECT, DIRECT, DIRECT, DUPLICATE]
        assert sorted(one.counted + other.counted) == [5, 6, 7]


@pytest.mark.asyncio
async def test_an_unknown_id_is_lost_if_a_pod_that_served_is_gone() -> None:
    one = SmallPod("a")
    async with running(one) as desk:
        assert (await desk.count(MONITOR, [label(1)], present(one, left=True))).outcomes == ["lost"]


@pytest.mark.asyncio
async def test_an_unknown_id_is_undecided_while_a_pod_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_desk, "COUNT_SECONDS", 0.2)
    one, mute = SmallPod("a", {1}), SmallPod("b", mute=True)
    async with running(one, mute) as desk:
        tally = await desk.count(MONITOR, [label(1), label(2)], present(one, mute))
        assert (tally.outcomes[0] in (JOINED, None), tally.outcomes[1], tally.silent) == (True, None, 1)


@pytest.mark.asyncio
async def test_a_pod_that_never_fetched_labels_leaves_them_undecided() -> None:
    one, older = SmallPod("a"), SmallPod("b")
    async with running(one) as desk:
        tally = await desk.count(MONITOR, [label(1)], present(one, older))
        assert (tally.outcomes, tally.silent) == ([None], 1)


@pytest.mark.asyncio
async def test_a_pod_that_has_not_synced_yet_counts_labels_once_it_fetches_some() -> None:
    one, fresh, starting = SmallPod("a"), SmallPod("b", {1}), SmallPod("c")
    async with running(one, fresh) as desk:
        pods = MonitorPods(uids=frozenset({"a"}), unsynced=frozenset({"b", starting.uid}))
        tally = await desk.count(MONITOR, [label(1), label(2)], pods)
        assert (tally.outcomes, tally.silent) == ([JOINED, UNKNOWN], 0)


@pytest.mark.asyncio
async def test_without_a_pod_that_fetches_labels_they_are_refused() -> None:
    async with running() as desk:
        with pytest.raises(RefusedRequestError, match="no pod"):
            await desk.count(MONITOR, [label(1)], present(SmallPod("a")))


@pytest.mark.asyncio
async def test_a_delivery_whose_result_was_lost_is_handed_out_again_and_a_late_result_is_ignored() -> None:
    now = [0.0]
    desk, pod = LabelDesk(lambda: now[0]), SmallPod("a", {1})
    await desk.collect("a", MONITOR)
    counting = asyncio.create_task(desk.count(MONITOR, [label(1)], present(pod)))
    first = await deliveries(desk)
    assert await desk.collect("a", MONITOR) == ()
    now[0] += label_desk.REPEAT_SECONDS + 1
    assert await desk.collect("a", MONITOR) == first
    desk.settle("a", [pod.answer(first[0])])
    desk.settle("a", [pod.answer(first[0])])
    assert (await counting).outcomes == [JOINED]


@pytest.mark.asyncio
@pytest.mark.parametrize("outcomes", [b"", b"\x01\x01", b"\xff"])
async def test_a_result_that_does_not_fit_its_delivery_decides_nothing(outcomes: bytes) -> None:
    desk = LabelDesk(asyncio.get_running_loop().time)
    await desk.collect("a", MONITOR)
    counting = asyncio.create_task(desk.count(MONITOR, [label(1)], present(SmallPod("a"))))
    found = await deliveries(desk)
    desk.settle("a", [LabelResult(id=found[0].id, outcomes=outcomes), LabelResult(id="unknown")])
    tally = await counting
    assert (tally.outcomes, tally.silent) == ([None], 1)


@pytest.mark.asyncio
async def test_labels_that_wait_for_a_pod_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_desk, "MAX_WAITING_BYTES", 100)
    desk = LabelDesk(asyncio.get_running_loop().time)
    await desk.collect("a", MONITOR)
    with pytest.raises(RefusedRequestError, match="too many labels"):
        await desk.count(MONITOR, [label(number) for number in range(1, 100)], present(SmallPod("a")))


keys = st.integers(min_value=1, max_value=6)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.sets(keys), min_size=1, max_size=4), st.lists(st.lists(keys, max_size=6), max_size=4))
def test_whatever_pods_know_each_known_id_is_counted_once(known: list[set[int]], requests: list[list[int]]) -> None:
    async def scenario() -> None:
        pods = [SmallPod(f"pod-{number}", some) for number, some in enumerate(known)]
        outcomes: list[str | None] = []
        async with running(*pods) as desk:
            for request in requests:
                tally = await desk.count(MONITOR, [label(key) for key in request], present(*pods))
                outcomes += tally.outcomes
        counted = [key for pod in pods for key in pod.counted]
        sent = {key for request in requests for key in request}
        assert sorted(counted) == sorted(sent & set[int]().union(*known))
        assert outcomes.count(JOINED) == len(counted)

    asyncio.run(scenario())
