"""Counts the labels that the controller delivers, through the worker's queue like those of `POST /v1/feedback`.

The controller delivers them with the responses to signals, so that a pod needs no open port for them. The results are
sent at once, and the response to them has the next labels.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import msgspec

from ...errors import PilotfishError
from ...labels.labels import FeedbackResponse, LabelBatch
from ...sync.messages import LabelDelivery, LabelResult, LabelResults, SignalsResponse, decode, encode
from ..commands import TakeLabels
from ..errors import describe
from .options import SyncOptions
from .transport import Transport

_LOG = logging.getLogger("pilotfish.sync")

MAX_TEXT_LENGTH = 1000
_BATCH = msgspec.msgpack.Decoder(LabelBatch)


Submit = Callable[[TakeLabels], Future[FeedbackResponse]]


class LabelCourier:
    """Counts delivered labels, and returns their results to the controller. `submit` is that of the worker."""

    def __init__(self, options: SyncOptions, transport: Transport, submit: Submit) -> None:
        self._options = options
        self._transport = transport
        self._submit = submit
        self._offered: asyncio.Queue[tuple[LabelDelivery, ...]] = asyncio.Queue(maxsize=1)

    def offer(self, response: bytes) -> None:
        """Take the response to signals; raise MessageError.

        While earlier labels are counted, later ones are left: the controller delivers them again.
        """
        found = decode(response, SignalsResponse).labels if response else ()
        if found and not self._offered.full():
            self._offered.put_nowait(found)

    async def run(self) -> None:
        """Count labels until cancelled."""
        while True:
            deliveries = await self._offered.get()
            try:
                while deliveries:
                    results = await count_labels(deliveries, self._submit)
                    message = LabelResults(pod=self._options.pod, monitor=self._options.monitor, results=results)
                    response = await self._transport.labels(encode(message))
                    deliveries = decode(response, SignalsResponse).labels
            except PilotfishError as error:  # the controller delivers the labels again
                _LOG.warning("the results of labels did not reach the controller: %s", error)
            except Exception:  # a defect here must not end the analyzer
                _LOG.exception("cannot count the labels of the controller; this is a defect, please report it")


async def count_labels(deliveries: Iterable[LabelDelivery], submit: Submit) -> tuple[LabelResult, ...]:
    """Count the labels of each delivery, or look them up; return once those counted are stored durably.

    A delivery that cannot be read or counted has a result with the problem.
    """
    return tuple([await _count(delivery, submit) for delivery in deliveries])


async def _count(delivery: LabelDelivery, submit: Submit) -> LabelResult:
    try:
        batch = await asyncio.to_thread(_BATCH.decode, delivery.labels)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return LabelResult(id=delivery.id, problem="the labels cannot be read; update the pod's Pilotfish")
    try:
        found = await asyncio.wrap_future(submit(TakeLabels(batch, delivery.look_up)))
    except PilotfishError as error:
        return LabelResult(id=delivery.id, problem=describe(error)[:MAX_TEXT_LENGTH])
    return LabelResult(id=delivery.id, outcomes=found.each, judged=found.judged, note=found.note[:MAX_TEXT_LENGTH])
