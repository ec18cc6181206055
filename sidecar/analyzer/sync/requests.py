"""Builds the requests of one sync from a snapshot: one request per epoch, and more if there are many ticks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import groupby

from ...sync.counts import encode_counts
from ...sync.messages import MAX_TICKS, SyncRequest, TickReport
from ..snapshot import Snapshot
from .options import ControlOptions
from .unacknowledged import ClosedTick, SyncSnapshot, count_rows

RELEASE = version("pilotfish")
BATCH_BYTES = 2 * 1024 * 1024  # of counts in one request; a single tick may be larger
NOTHING = SyncSnapshot(epoch="", profile_hash="", complete_through=-1)  # before the first checkpoint


def build_requests(
    options: ControlOptions, snapshot: Snapshot, *, generation: int, learned: str = "", problem: str = ""
) -> list[SyncRequest]:
    """Return the requests that report all unacknowledged ticks; the last one is of the present epoch."""
    found = snapshot.sync or NOTHING
    return [
        _request(options, snapshot, batch, generation=generation, learned=learned, problem=problem, leaving=False)
        for batch in _batches(found.ticks, found)
    ]


def build_last_requests(options: ControlOptions, snapshot: Snapshot, *, generation: int) -> list[SyncRequest]:
    """Return the requests of a pod that ends, with its open ticks as far as they go; the last one is `leaving`."""
    found = snapshot.sync or NOTHING
    ticks = [*found.ticks, *_open_ticks(snapshot, found)]
    batches = list(_batches(ticks, found))
    return [
        _request(options, snapshot, batch, generation=generation, leaving=index == len(batches))
        for index, batch in enumerate(batches, 1)
    ]


def _open_ticks(snapshot: Snapshot, found: SyncSnapshot) -> Iterator[ClosedTick]:
    if snapshot.sync is None or snapshot.report.checkpoint.error:
        return
    for tick, counts in snapshot.open_counts.items():
        if rows := count_rows(counts):
            yield ClosedTick(
                epoch=found.epoch, profile_hash=counts.profile_hash, tick=tick, sequence=rows,
                counts=encode_counts(counts),
            )  # fmt: skip


def _batches(ticks: Sequence[ClosedTick], found: SyncSnapshot) -> Iterator[list[ClosedTick]]:
    """Yield the ticks by epoch, oldest first, and at the end those of the present epoch, even if there are none."""
    waiting: list[ClosedTick] = []
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


def _request(
    options: ControlOptions,
    snapshot: Snapshot,
    batch: Sequence[ClosedTick],
    *,
    generation: int,
    leaving: bool,
    learned: str = "",
    problem: str = "",
) -> SyncRequest:
    report, found = snapshot.report, snapshot.sync or NOTHING
    return SyncRequest(
        pod=options.pod,
        release=RELEASE,
        monitor=options.monitor,
        epoch=batch[0].epoch if batch else found.epoch,
        model=report.model,
        model_version=report.version,
        profile_hash=batch[0].profile_hash if batch else found.profile_hash,
        tick_seconds=report.ticks.tick_seconds,
        complete_through=found.complete_through,
        ticks=tuple(TickReport(tick=item.tick, sequence=item.sequence, counts=item.counts) for item in batch),
        generation=generation,
        learned=learned,
        leaving=leaving,
        problem=problem[:1000],
    )
