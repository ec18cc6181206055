"""Counts the labels that the controller delivers, through the worker's queue like those of `POST /v1/feedback`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import msgspec

from ...errors import PilotfishError
from ...labels.labels import FeedbackResponse, LabelBatch
from ...sync.messages import LabelDelivery, LabelResult
from ..commands import TakeLabels
from ..errors import describe

MAX_TEXT_LENGTH = 1000
_BATCH = msgspec.msgpack.Decoder(LabelBatch)


async def count_labels(
    deliveries: Iterable[LabelDelivery], submit: Callable[[TakeLabels], Future[FeedbackResponse]]
) -> tuple[LabelResult, ...]:
    """Count the labels of each delivery, or look them up; return once those counted are stored durably.

    A delivery that cannot be read or counted has a result with the problem.
    """
    return tuple([await _count(delivery, submit) for delivery in deliveries])


async def _count(delivery: LabelDelivery, submit: Callable[[TakeLabels], Future[FeedbackResponse]]) -> LabelResult:
    try:
        batch = await asyncio.to_thread(_BATCH.decode, delivery.labels)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return LabelResult(id=delivery.id, problem="the labels cannot be read; update the pod's Pilotfish")
    try:
        found = await asyncio.wrap_future(submit(TakeLabels(batch, delivery.look_up)))
    except PilotfishError as error:
        return LabelResult(id=delivery.id, problem=describe(error)[:MAX_TEXT_LENGTH])
    return LabelResult(id=delivery.id, outcomes=found.each, judged=found.judged, note=found.note[:MAX_TEXT_LENGTH])
