"""`POST /v1/feedback?namespace=NS&monitor=NAME`: the same body as a sidecar takes, for all pods of a monitor."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
from aiohttp import web

from ....callers.errors import RefusedRequestError
from ....errors import number
from ....labels import request as labelled
from ....labels.labels import INVALID, MAX_LISTED_PROBLEMS, UNKNOWN, ItemProblem, LabelBatch
from .backend import Backend
from .bodies import SMALL_BYTES, BodyIntake
from .label_desk import LOST, LabelDesk, Tally
from .tallies import Tallies

_TEXTS = {
    INVALID: "the request with this id has no such row, or another number of rows; send one label per row",
    LOST: "no present pod knows this id, and a pod that may have known it is gone",
    UNKNOWN: "no pod of this monitor knows this id: it was not measured, or is too old; see docs/feedback.md",
}


class FleetFeedbackResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response: that of a sidecar, and the labels that were lost with a pod or not decided, and the pods.

    `undecided` labels are to be sent again: a pod that may know them did not answer.
    """

    joined: int = 0
    direct: int = 0
    late: int = 0
    duplicate: int = 0
    unknown: int = 0
    lost: int = 0
    invalid: int = 0
    undecided: int = 0
    judged: int = 0
    pods: int = 0
    silent: int = 0
    note: str = ""
    problems: tuple[ItemProblem, ...] = ()


class FleetFeedback:
    """Takes labels for the pods of a monitor."""

    def __init__(self, backend: Backend, bodies: BodyIntake, desk: LabelDesk, tallies: Tallies) -> None:
        self._backend = backend
        self._bodies = bodies
        self._desk = desk
        self._tallies = tallies

    async def take(self, request: web.BaseRequest, monitor: tuple[str, str]) -> web.Response:
        """Return what became of the labels; 503 if some of them have to be sent again."""
        pods = self._backend.pods_of(*monitor)
        if pods is None:
            raise RefusedRequestError(
                "this controller knows no such monitor; check namespace and monitor", status=404, reason="no_monitor"
            )
        form = (request.headers.get("Content-Type", ""), request.headers)
        async with self._bodies.read(request, labelled.MAX_BODY_BYTES) as raw:
            in_thread = len(raw) > SMALL_BYTES
            batch = await asyncio.to_thread(labelled.read, raw, *form) if in_thread else labelled.read(raw, *form)
        tally = Tally(outcomes=[])
        if batch.labels:
            tally = await self._desk.count(monitor, batch.labels, pods)
        counts = tally.counts()
        self._tallies.count_labels(monitor, counts + Counter({INVALID: batch.invalid}))
        return _response(batch, tally, counts)


def _response(batch: LabelBatch, tally: Tally, counts: Counter[str]) -> web.Response:
    undecided = tally.outcomes.count(None)
    problems = list(batch.problems)
    for label, outcome in zip(batch.labels, tally.outcomes, strict=True):
        if len(problems) >= MAX_LISTED_PROBLEMS:
            break
        if outcome in _TEXTS:
            problems.append(ItemProblem(label.item, _TEXTS[outcome]))
    counts[INVALID] += batch.invalid
    found = FleetFeedbackResponse(
        **counts,
        undecided=undecided,
        judged=tally.judged,
        pods=tally.pods,
        silent=tally.silent,
        note=tally.note,
        problems=tuple(problems),
    )
    body, status, headers = msgspec.to_builtins(found), 200, {}
    if undecided:
        error = f"{number(tally.silent, 'pod')} did not answer; send the request again, each label counts once"
        body, status, headers = {"error": error, **body}, 503, {"Retry-After": "10"}
    elif batch.invalid and not batch.labels:
        first = batch.problems[0]
        body, status = {"error": f"{first.path} {first.problem}".strip(), **body}, 400
    raw = msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n"
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json", charset="utf-8")
