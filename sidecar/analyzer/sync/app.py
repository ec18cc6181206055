"""Composition of the sync: everything that talks to the controller shares one transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from ...channel.page import PageSnapshot
from ...report.sync_status import SyncStatus
from ...settings.document import Learn
from ..actions import AuditedActions
from ..snapshot import Snapshot
from ..worker import Worker
from .document import StoredDocument
from .follower import Follower
from .labels import LabelCourier
from .loop import ControlSync
from .options import SyncOptions
from .signals import ModelTimes, SignalSender
from .transport import Transport


class PodSync:
    """The tasks of one pod that talk to the controller."""

    def __init__(
        self,
        options: SyncOptions,
        transport: Transport,
        sync: ControlSync,
        signals: SignalSender,
        courier: LabelCourier,
    ) -> None:
        self._options = options
        self._courier = courier
        self._transport = transport
        self._sync = sync
        self._signals = signals

    @property
    def status(self) -> SyncStatus:
        """The state of the sync at this moment."""
        return self._sync.status

    async def run(self) -> None:
        """Sync, send signals and count labels until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sync.run())
            if self._options.monitor or self._options.monitor_uid:  # nobody reads the load of other pods
                tasks.create_task(self._courier.run())
                tasks.create_task(self._signals.run())

    async def end(self, *, leaving: bool) -> None:
        """Close the connections, after the last counts if the pod is `leaving`; call it once `run` has ended."""
        if leaving:
            await self._sync.leave()
        await self._transport.close()


def build_sync(
    options: SyncOptions,
    document: Path,
    *,
    learn: Learn | None,
    actions: AuditedActions,
    worker: Worker,
    read_page: Callable[[], PageSnapshot | None],
    times: ModelTimes,
) -> PodSync:
    """Return the sync that keeps the document of the controller in the file `document`."""

    def published() -> Snapshot:
        return worker.published

    transport = Transport(options)
    stored = StoredDocument(document)
    follower = Follower(options, stored, transport, actions, learn or Learn(), published, worker.submit, time.monotonic)
    courier = LabelCourier(options, transport, worker.submit)
    return PodSync(
        options,
        transport,
        ControlSync(options, transport, follower, published, worker.submit, Random()),
        SignalSender(options, transport, courier, read_page, time.time, Random(), times),
        courier,
    )
