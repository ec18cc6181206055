"""Builds the requests of one sync from a snapshot: one request per epoch, and more if there are many ticks. Pure.

A request must not claim that ticks are complete which are only in a later one: a new leader knows nothing of this pod,
and would close them without their counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import groupby

import msgspec

from ...sync.counts import encode_counts
from ...sync.messages import MAX_TICKS, SyncRequest, TickReport
from ..snapshot import Snapshot
from .options import SyncOptions
from .unacknowledged import SyncSnapshot, UnacknowledgedTick, count_rows

RELEASE = version("pilotfish")
BATCH_BYTES = 2 * 1024 * 1024  # of counts in one request; a single tick may be larger
NOTHING = SyncSnapshot(epoch="", profile_hash="", complete_through=-1)  # before the first checkpoint


def build_requests(
    options: SyncOptions, snapshot: Snapshot, *, generation: int, learned: str = "", problem: str = ""
) -> list[SyncRequest]:
    """Return the requests that report all unacknowledged ticks; the last one is of the present epoch."""
    found = snapshot.sync or NOTHING
    first = _request(options, snapshot, generation=generation, learned=learned, problem=problem)
    return _filled(first, _batches(found.ticks, found), found.complete_through)


def build_last_requests(options: SyncOptions, snapshot: Snapshot, *, generation: int) -> list[SyncRequest]:
    """Return the requests of a pod that ends, with its open ticks as far as they go; the last one is `leaving`."""
    found = snapshot.sync or NOTHING
    ticks = [*found.ticks, *_open_ticks(snapshot, found)]
    first = _request(options, snapshot, generation=generation)
    *requests, last = _filled(first, _batches(ticks, found), found.complete_through)
    return [*requests, msgspec.structs.replace(last, leaving=True)]


def _open_ticks(snapshot: Snapshot, found: SyncSnapshot) -> Iterator[UnacknowledgedTick]:
    if snapshot.sync is None or snapshot.report.checkpoint.error:
        return
    for tick, counts in snapshot.open_counts.items():
        if rows := count_rows(counts):
            yield UnacknowledgedTick(
                epoch=found.epoch, profile_hash=counts.profile_hash, tick=tick, sequence=rows,
                counts=encode_counts(counts),
            )  # fmt: skip


def _batches(ticks: Sequence[UnacknowledgedTick], found: SyncSnapshot) -> Iterator[list[UnacknowledgedTick]]:
    """Yield the ticks by epoch, oldest first, and at the end those of the present epoch, even if there are none."""
    waiting: list[UnacknowledgedTick] = []
    for epoch, group in groupby(ticks, lambda item: item.epoch):
        size = 0
        waiting = []
        for item in group:
            if waiting and (len(waiting) >= MAX_TICKS or size + len(item.counts) > BATCH_BYTES):
                yield waiting
                waiting, size = [], 0
            waiting.append(item)
            size += len(item.counts)
        if epoch != found.epoch:
            yield waiting
            waiting = []
    yield waiting


def _filled(empty: SyncRequest, batches: Iterable[Sequence[UnacknowledgedTick]], complete: int) -> list[SyncRequest]:
    """Return a copy of `empty` for each batch; only the last one may be complete through `complete`."""
    requests: list[SyncRequest] = []
    for batch in reversed(list(batches)):
        reports = tuple(TickReport(tick=item.tick, sequence=item.sequence, counts=item.counts) for item in batch)
        own = {"epoch": batch[0].epoch, "profile_hash": batch[0].profile_hash} if batch else {}
        requests.append(msgspec.structs.replace(empty, ticks=reports, complete_through=complete, **own))
        complete = min([complete, *(item.tick - 1 for item in batch)])
    return requests[::-1]


def _request(
    options: SyncOptions, snapshot: Snapshot, *, generation: int, learned: str = "", problem: str = ""
) -> SyncRequest:
    """Return a request without ticks."""
    report, found = snapshot.report, snapshot.sync or NOTHING
    return SyncRequest(
        pod=options.pod,
        release=RELEASE,
        monitor=options.monitor,
        monitor_uid=options.monitor_uid,
        epoch=found.epoch,
        model=report.model,
        model_version=report.version,
        profile_hash=found.profile_hash,
        tick_seconds=report.ticks.tick_seconds,
        generation=generation,
        learned=learned,
        problem=problem[:1000],
    )
