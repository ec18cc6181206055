"""Passes labels to the pods of a monitor, which fetch them, and returns what became of each.

    FeedbackRequest --> labels whose id is remembered as counted: duplicate
                    --> labels that carry their prediction: counted by one pod, chosen by their key
                    --> other labels: 1. every pod looks them up; 2. the pod that knows one counts it
    pod: collect --> LabelDelivery --> settle(LabelResult)

Pods fetch deliveries with their signals, so that they need no open port and no credentials of the controller. The
controller stores no label: a label is answered only after its pod has it on disk, and everything else is sent again by
the client. Two pods that know the same id, after a retry of a request, therefore count its label once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ....callers.errors import RefusedRequestError
from ....labels.labels import (
    DIRECT,
    DUPLICATE,
    INVALID,
    JOINED,
    LATE,
    OUTCOMES,
    UNKNOWN,
    Label,
    LabelBatch,
)
from ....sync.messages import LabelDelivery, LabelResult
from .backend import MonitorPods

LOST = "lost"  # no pod knows the id, and a pod that may have known it is gone
PRESENT_SECONDS = 20.0  # a pod that fetched labels within this time is expected to fetch them again
COUNT_SECONDS = 18.0  # for a whole request; pods fetch every 5 s
REPEAT_SECONDS = 8.0  # a delivery without a result is handed out again
HOLD_SECONDS = 2.0  # how long the response to results waits for the next deliveries
MAX_WAITING_BYTES = 8 * 1024 * 1024  # of one pod
MAX_RESPONSE_BYTES = 1024 * 1024  # of several deliveries; a pod reads 2 MiB
MAX_DELIVERED = 2000  # labels of one delivery, of at most 300 bytes each
MAX_REMEMBERED = 200_000
REMEMBERED_SECONDS = 3600.0
_RANK = {JOINED: 0, DIRECT: 0, DUPLICATE: 1, INVALID: 2, LATE: 3, UNKNOWN: 4}

Monitor = tuple[str, str]


@dataclass(slots=True)
class _Waiting:
    """A delivery that a pod has not answered."""

    delivery: LabelDelivery
    result: asyncio.Future[LabelResult]
    handed_out: float | None = None


@dataclass(slots=True)
class _PodQueue:
    monitor: Monitor
    fetched: float
    deliveries: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Tally:
    """What became of the labels of one request.

    Attributes:
        outcomes: one outcome per label; None for a label that no pod has decided.
        judged: labels that were scored.
        note: why labels are not scored; empty if they are.
        pods: pods that were asked.
        silent: pods that did not answer.
    """

    outcomes: list[str | None]
    judged: int = 0
    note: str = ""
    pods: int = 0
    silent: int = 0

    def counts(self) -> Counter[str]:
        """Return the number of decided labels by outcome."""
        return Counter(outcome for outcome in self.outcomes if outcome is not None)


@dataclass(slots=True)
class _Request:
    """One request with labels while it is served; `deadline` is in seconds of the clock."""

    labels: Sequence[Label]
    deadline: float
    tally: Tally
    silent: set[str] = field(default_factory=set)


class LabelDesk:
    """The deliveries of all pods. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pods: dict[str, _PodQueue] = {}
        self._counted: OrderedDict[tuple[Monitor, int, int], float] = OrderedDict()
        self._numbers = 0

    # --- the side of the pods

    async def collect(self, uid: str, monitor: Monitor, *, hold: float = 0.0) -> tuple[LabelDelivery, ...]:
        """Return the deliveries that wait for a pod; wait up to `hold` seconds for the first one."""
        queue = self._pods.setdefault(uid, _PodQueue(monitor, self._clock()))
        queue.fetched, queue.monitor = self._clock(), monitor
        found = self._due(queue)
        if not found and hold:
            queue.arrived.clear()
            try:
                async with asyncio.timeout(hold):
                    await queue.arrived.wait()
            except TimeoutError:
                return ()
            found = self._due(queue)
        return found

    def settle(self, uid: str, results: Iterable[LabelResult]) -> None:
        """Take the results of a pod; results of deliveries that nobody waits for are ignored."""
        queue = self._pods.get(uid)
        for result in results if queue is not None else ():
            waiting = queue.deliveries.pop(result.id, None) if queue is not None else None
            if waiting is not None and not waiting.result.done():
                waiting.result.set_result(result)

    def _due(self, queue: _PodQueue) -> tuple[LabelDelivery, ...]:
        now, size = self._clock(), 0
        found: list[LabelDelivery] = []
        for waiting in queue.deliveries.values():
            if waiting.handed_out is not None and now - waiting.handed_out < REPEAT_SECONDS:
                continue
            size += len(waiting.delivery.labels)
            if found and size > MAX_RESPONSE_BYTES:
                break
            waiting.handed_out = now
            found.append(waiting.delivery)
        return tuple(found)

    # --- the side of the clients

    async def count(self, monitor: Monitor, labels: Sequence[Label], pods: MonitorPods) -> Tally:
        """Have `labels` counted by the pods of a monitor; return after at most COUNT_SECONDS.

        Raises RefusedRequestError if no pod fetches labels, or too many labels wait already.
        """
        present = sorted(uid for uid in pods.uids | pods.unsynced if self._fetches(uid, monitor))
        if not present:
            raise RefusedRequestError(
                "no pod of this monitor fetches labels at the moment; check that its pods reach the controller, then "
                "send the labels again",
                status=503,
                reason="no_pods",
                retry_after=10.0,
            )
        tally = Tally(outcomes=[None] * len(labels), pods=len(present))
        request = _Request(labels, self._clock() + COUNT_SECONDS, tally)
        open_labels = self._repeated(monitor, labels, tally)
        direct = [index for index in open_labels if labels[index].direct]
        others = [index for index in open_labels if not labels[index].direct]
        if len(present) == 1:
            chosen = {present[0]: open_labels}
        else:
            chosen = _group(direct, lambda index: _choose(present, labels[index].key))
            for uid, indices in (await self._look_up(request, others, present)).items():
                chosen.setdefault(uid, []).extend(indices)
        await self._deliver(request, chosen)
        tally.silent = len(request.silent) + len(pods.uids.difference(present))
        if tally.silent:  # one of them may know what the others do not know
            tally.outcomes = [None if outcome in (UNKNOWN, LATE) else outcome for outcome in tally.outcomes]
        elif pods.left:
            tally.outcomes = [LOST if outcome == UNKNOWN else outcome for outcome in tally.outcomes]
        self._remember(monitor, labels, tally)
        return tally

    async def _look_up(self, request: _Request, indices: list[int], present: list[str]) -> dict[str, list[int]]:
        """Ask all pods; return the labels that each should count, and put the other outcomes into the tally."""
        jobs = [(uid, chunk) for chunk in _chunks(indices) for uid in present]
        best: dict[int, tuple[int, str, str]] = {}
        for uid, chunk, outcomes, _ in await self._ask(request, jobs, look_up=True):
            for index, outcome in zip(chunk, outcomes, strict=True):
                best[index] = min(best.get(index, (9, "", "")), (_RANK[outcome], uid, outcome))
        for index, (_, _, outcome) in best.items():
            if outcome != JOINED:
                request.tally.outcomes[index] = outcome
        joined = [index for index, (_, _, outcome) in best.items() if outcome == JOINED]
        return _group(joined, lambda index: best[index][1])

    async def _deliver(self, request: _Request, chosen: Mapping[str, list[int]]) -> None:
        tally = request.tally
        jobs = [(uid, chunk) for uid, indices in chosen.items() for chunk in _chunks(indices)]
        for _, chunk, outcomes, result in await self._ask(request, jobs, look_up=False):
            for index, outcome in zip(chunk, outcomes, strict=True):
                tally.outcomes[index] = outcome
            tally.judged += result.judged
            tally.note = tally.note or result.note

    async def _ask(
        self, request: _Request, jobs: Iterable[tuple[str, Sequence[int]]], *, look_up: bool
    ) -> list[tuple[str, Sequence[int], list[str], LabelResult]]:
        """Hand out a delivery for each job, a pod and indices of labels.

        Return pod, indices, outcomes and result of those that were answered in time, and note the silent pods.
        """
        encoded: dict[int, bytes] = {}  # by identity: all pods look up the same chunk
        waiting: list[tuple[str, Sequence[int], _Waiting]] = []
        for uid, chunk in jobs:
            if id(chunk) not in encoded:
                batch = LabelBatch(tuple(request.labels[index] for index in chunk))
                encoded[id(chunk)] = msgspec.msgpack.encode(batch)
            waiting.append((uid, chunk, self._enqueue(uid, encoded[id(chunk)], look_up=look_up)))
        if waiting:
            timeout = max(0.0, request.deadline - self._clock())
            await asyncio.wait([item.result for _, _, item in waiting], timeout=timeout)
        found = []
        for uid, chunk, item in waiting:
            result = item.result.result() if item.result.done() else LabelResult(id="", problem="no answer in time")
            outcomes = _outcomes(result, len(chunk))
            if outcomes is None:
                request.silent.add(uid)
                self._forget(uid, item)
            else:
                found.append((uid, chunk, outcomes, result))
        return found

    def _enqueue(self, uid: str, raw: bytes, *, look_up: bool) -> _Waiting:
        queue = self._pods[uid]
        if sum(len(item.delivery.labels) for item in queue.deliveries.values()) + len(raw) > MAX_WAITING_BYTES:
            raise RefusedRequestError(
                "too many labels wait for the pods of this monitor; send these again later",
                status=503,
                reason="busy",
                retry_after=5.0,
            )
        self._numbers += 1
        delivery = LabelDelivery(id=str(self._numbers), labels=raw, look_up=look_up)
        item = _Waiting(delivery, asyncio.get_running_loop().create_future())
        queue.deliveries[delivery.id] = item
        queue.arrived.set()
        return item

    def _forget(self, uid: str, item: _Waiting) -> None:
        queue = self._pods.get(uid)
        if queue is not None:
            queue.deliveries.pop(item.delivery.id, None)

    def _fetches(self, uid: str, monitor: Monitor) -> bool:
        queue = self._pods.get(uid)
        if queue is None or queue.monitor != monitor:
            return False
        return self._clock() - queue.fetched < PRESENT_SECONDS

    def drop_absent(self) -> None:
        """Remove the queues of pods that fetch nothing any more; call it now and then."""
        now = self._clock()
        for uid, queue in list(self._pods.items()):
            if now - queue.fetched > 2 * PRESENT_SECONDS and not queue.deliveries:
                del self._pods[uid]

    # --- labels that were counted already

    def _repeated(self, monitor: Monitor, labels: Sequence[Label], tally: Tally) -> list[int]:
        """Mark labels that were counted lately, or twice in this request, as duplicates; return the other indices."""
        oldest = self._clock() - REMEMBERED_SECONDS
        while self._counted and next(iter(self._counted.values())) < oldest:
            self._counted.popitem(last=False)
        left, here = [], set[tuple[int, int]]()
        for index, label in enumerate(labels):
            key = (label.key, label.row)
            if label.key and (key in here or (monitor, *key) in self._counted):
                tally.outcomes[index] = DUPLICATE
            else:
                here.add(key)
                left.append(index)
        return left

    def _remember(self, monitor: Monitor, labels: Sequence[Label], tally: Tally) -> None:
        now = self._clock()
        for label, outcome in zip(labels, tally.outcomes, strict=True):
            if label.key and outcome in (DIRECT, JOINED):
                self._counted[monitor, label.key, label.row] = now
        while len(self._counted) > MAX_REMEMBERED:
            self._counted.popitem(last=False)


def _group(indices: Iterable[int], key: Callable[[int], str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index in indices:
        found.setdefault(key(index), []).append(index)
    return found


def _chunks(indices: Sequence[int]) -> list[Sequence[int]]:
    return [indices[start : start + MAX_DELIVERED] for start in range(0, len(indices), MAX_DELIVERED)]


def _choose(pods: Sequence[str], key: int) -> str:
    """Return the pod for a key by rendezvous hashing: another pod is chosen only when this one leaves."""
    text = key.to_bytes(8, "little")
    return max(pods, key=lambda uid: hashlib.blake2b(text + uid.encode(), digest_size=8).digest())


def _outcomes(result: LabelResult, labels: int) -> list[str] | None:
    """Return the outcomes in a result; None if the pod could not count, or the result does not fit the delivery."""
    if result.problem or len(result.outcomes) != labels or any(code >= len(OUTCOMES) for code in result.outcomes):
        return None
    return [OUTCOMES[code] for code in result.outcomes]
