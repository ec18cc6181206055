"""A pod counts the labels that the controller delivers, and only looks up those that it is asked to look up."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import msgspec
import pytest

from pilotfish.sidecar.analyzer.commands import TakeLabels
from pilotfish.sidecar.analyzer.errors import IdleError
from pilotfish.sidecar.analyzer.feedback.frames import SegmentHeader
from pilotfish.sidecar.analyzer.feedback.joiner import LabelJoiner
from pilotfish.sidecar.analyzer.feedback.store import PredictionStore
from pilotfish.sidecar.analyzer.sync.labels import LabelCourier, count_labels
from pilotfish.sidecar.labels.labels import JOINED, OUTCOMES, FeedbackResponse, Label, LabelBatch
from pilotfish.sidecar.sync.messages import LabelDelivery, LabelResults, Pod, SignalsResponse, decode, encode
from tests.support.waiting import patient

BATCH = LabelBatch((Label(0, 5, 0, "late"), Label(1, 6, 0, 2.5, direct=True, prediction=2, time=1.0)))


def delivery(**other: object) -> LabelDelivery:
    return LabelDelivery(**{"id": "1", "labels": msgspec.msgpack.encode(BATCH), **other})  # type: ignore[arg-type]


def submit(command: TakeLabels) -> Future[FeedbackResponse]:
    found: Future[FeedbackResponse] = Future()
    assert command.labels == BATCH
    found.set_result(FeedbackResponse(each=bytes([OUTCOMES.index(JOINED), 0]), judged=2, note="x" * 2000))
    return found


@pytest.mark.asyncio
async def test_the_result_has_the_outcome_of_each_label() -> None:
    (result,) = await count_labels([delivery()], submit)
    assert (result.outcomes, result.judged, len(result.note), result.problem) == (b"\x03\x00", 2, 1000, "")


@pytest.mark.asyncio
@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x91\x91", b"\x91\xc0", b"\x91\x91\x93\x00\x01\xa1\xff"])
async def test_labels_that_cannot_be_read_are_reported(raw: bytes) -> None:
    (result,) = await count_labels([delivery(labels=raw)], submit)
    assert (result.outcomes, "cannot be read" in result.problem) == (b"", True)


@pytest.mark.asyncio
async def test_labels_that_are_refused_are_reported() -> None:
    def refuse(_: TakeLabels) -> Future[FeedbackResponse]:
        found: Future[FeedbackResponse] = Future()
        found.set_exception(IdleError("idle"))
        return found

    (result,) = await count_labels([delivery()], refuse)
    assert result.problem == "idle"


def test_a_look_up_changes_nothing() -> None:
    joiner = LabelJoiner(PredictionStore(3600.0, 100, SegmentHeader()))
    joiner.store.keep(5, 0, 1.0, 1, [])
    found = [joiner.look_up(BATCH, 2.0) for _ in range(2)]
    event, response = joiner.join(BATCH, 2.0)
    assert found == [response, response]
    assert [OUTCOMES[code] for code in response.each] == ["joined", "direct"]
    assert event.outcomes == {"joined": 1, "direct": 1}
    assert joiner.look_up(BATCH, 2.0).duplicate == 2


@pytest.mark.asyncio
async def test_results_are_sent_until_no_labels_are_left() -> None:
    sent: list[LabelResults] = []
    done = asyncio.Event()

    class Control:
        """Delivers once more, then nothing."""

        async def labels(self, body: bytes) -> bytes:
            sent.append(decode(body, LabelResults))
            if len(sent) == 2:
                done.set()
            return encode(SignalsResponse(labels=(delivery(id="2"),) if len(sent) == 1 else ()))

    class Options:
        """What the courier reads of the options."""

        pod, monitor = Pod(namespace="n", name="p", uid="u"), "m"

    courier = LabelCourier(Options(), Control(), submit)  # type: ignore[arg-type]
    running = asyncio.create_task(courier.run())
    courier.offer(b"")
    courier.offer(encode(SignalsResponse(labels=(delivery(),))))
    async with asyncio.timeout(patient(10)):
        await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [result.id for one in sent for result in one.results] == ["1", "2"]
