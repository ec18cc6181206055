"""Composition of the analyzer process. Nothing else in this package constructs the collaborators.

Two threads run: the worker changes all state, and the event loop answers HTTP. Once a second, the event loop polls
memory, document and profile. The event loop reads snapshots only, and changes state only by worker commands.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

from ..channel import PAGE_FILE, SETTINGS_FILE, SOCKET_FILE
from ..channel.page_reader import PageReader
from ..channel.peers import secure_folder
from ..channel.receiver import Receiver, check_handshake
from ..report.control_status import ControlStatus
from ..report.schema import BlindSpot, Report
from ..resources.work import WorkMeter
from ..rows.blocks import RowBlock
from ..rows.log import newest_blocks
from ..serving.server import BoundedServer
from ..settings.document import Metrics, ModelMonitor
from ..settings.proxy import write_proxy_settings
from ..system.addresses import local_address, parse_listen_address
from ..system.tokens import token_warning
from ..telemetry.process import memory_usage as used_memory
from ..telemetry.scrape import ScrapeInput
from . import memory
from .actions import AuditedActions
from .announcer import Announcer
from .audit import AuditLog
from .checkpoint import CHECKPOINT_FILE
from .commands import SimpleCommand, TakeLabels, Warn
from .configuration import Configuration, configure, profile_wanted, proxy_settings, redacted_document
from .counter_page import read_counters, read_upstreams
from .engine import EngineFactory, effect_sizes_only
from .errors import ProfileRefusedError
from .exchange_ledger import ExchangeLedger, new_ledger_id
from .feedback.journal import LabelJournal
from .http.access import access_of, open_access_warning
from .http.views import ViewDependencies, Views
from .options import Options
from .persistence import Persistence
from .profile_builder import ProfileBuilder
from .profile_store import FileWatcher, ProfileStore
from .resources import AnalyzerResources
from .row_stores import RECENT, ROWS_FOLDER, RowStores
from .snapshot import Publisher
from .startup import check_options, follow_document, load_first_profile, resume_learning, resume_pipeline
from .state_files import LOCK_FILE, remove_unfinished
from .sync.app import PodSync, build_sync
from .sync.options import DOCUMENT_FILE
from .totals_file import TOTALS_FILE, TotalsFile, lock_folder_file
from .visibility.readiness import Readiness, readiness
from .visibility.readings import Reading, Setting
from .visibility.watch import BlindSpotWatch
from .worker import Worker, WorkerDependencies

RECYCLE_STATUS = 75
POLL_SECONDS = 1.0
GC_THRESHOLD = 20_000  # allocations; records live briefly and in thousands, so Python's 700 would collect for nothing


def build(options: Options, engine_factory: EngineFactory | None = None) -> App:
    """Compose the analyzer from `options`; without `engine_factory`, it computes effect sizes and no evidence.

    With a document or profile that cannot be used, the analyzer is idle and reports the reason. Raises UsageError for
    a folder, address or file of the command line that cannot be used, and for a memory limit that is too low to start.
    """
    memory.limit_data(options.memory_limit, used_memory()[2])
    try:
        return _build(options, engine_factory or effect_sizes_only)
    except MemoryError as error:
        raise memory.too_small(options.memory_limit, used_memory()[2]) from error


def _build(options: Options, engine_factory: EngineFactory) -> App:
    check_options(options := follow_document(options))
    configured = _configure(options, engine_factory)
    totals_file = TotalsFile(options.shared / TOTALS_FILE)
    lock = lock_folder_file(options.base_folder / LOCK_FILE, "--state")
    ledger = partial(ExchangeLedger.of_file, totals_file.read(), new_ledger_id())
    remove_unfinished(options)
    pipeline, checkpoint_warning = resume_pipeline(configured.settings, ledger, options)
    # the id must be in the totals file before any checkpoint has it: it ties checkpoints to this counter page
    totals_file.write(pipeline.ledger.id, pipeline.counters.named())
    profile_store = ProfileStore(configured.profile_path, options.state_folder)
    problem = load_first_profile(pipeline, profile_store)
    resume_learning(pipeline)
    audit = AuditLog(options.state_folder)
    pipeline.show_decisions(audit.newest)
    journal = LabelJournal(options.state_folder)
    pipeline.replay(journal.load(), int(time.time() * 1e9), count_labels=not checkpoint_warning)
    for note in configured.notes:
        pipeline.notices.set(note, note)
    if checkpoint_warning:
        pipeline.notices.set("checkpoint", checkpoint_warning)
    pipeline.notices.set("admin", open_access_warning(options.admin, access_of(options)))
    pipeline.notices.set("token", token_warning(options.token_file))
    stores = RowStores(options.state_folder, pipeline)
    persistence = Persistence(
        pipeline,
        checkpoint=options.state_folder / CHECKPOINT_FILE,
        journal=journal,
        stores=stores,
        totals_file=totals_file,
    )
    dependencies = WorkerDependencies(
        pipeline=pipeline,
        persistence=persistence,
        stores=stores,
        open_receiver=lambda: Receiver(
            options.shared / SOCKET_FILE, partial(check_handshake, options.shared / PAGE_FILE)
        ),
        now=time.time,
        near_limit=lambda: memory.near_limit(used_memory()[2], options.memory_limit),
    )
    worker = Worker(dependencies, Publisher(time.time()))
    worker.submit(Warn("profile", problem))
    worker.submit(Warn("audit_damage", audit.damage))
    return App(options, configured, profile_store, audit, worker, lock, pipeline.work.meter)


class App:
    """The running analyzer. Call `serve` once; the control loop uses `report`, `submit` and `set_control`."""

    def __init__(
        self,
        options: Options,
        configured: Configuration,
        profile_store: ProfileStore,
        audit: AuditLog,
        worker: Worker,
        lock: int,
        work: WorkMeter,
    ) -> None:
        self._options = options
        self._configured = configured
        self._profile_store = profile_store
        self._worker = worker
        self._lock = lock
        self._control: ControlStatus | None = None
        self._token_warning = token_warning(options.token_file)
        self._announcer = Announcer(configured.document)
        self._blind_spots = BlindSpotWatch()
        self._page_reader = PageReader(options.shared / PAGE_FILE)
        self._detects = configured.settings.engine_factory is not effect_sizes_only
        self._document_watcher = FileWatcher(options.document_path) if options.document_path else None
        self._actions = AuditedActions(audit, profile_store, self.submit, lambda: self.report)
        self._builder = ProfileBuilder(
            configured.settings,
            options.state_folder / ROWS_FOLDER,
            options.memory_limit,
            self._actions,
            lambda: self.report,
            self.submit,
            lambda: worker.published.profile,
        )
        self._resources = AnalyzerResources(options, lambda: self.document, work)
        self._sync = self._build_sync()
        self._views = Views(
            ViewDependencies(
                read=self._read,
                readiness=self._readiness,
                published=lambda: worker.published,
                config=self._config,
                take_labels=lambda labels: worker.submit(TakeLabels(labels)),
                actions=self._actions,
                rows=self._rows,
                alive=lambda: not worker.finished.done(),
                access=access_of(options),
            )
        )

    @property
    def report(self) -> Report:
        """The latest report."""
        return self._worker.published.report

    @property
    def document(self) -> ModelMonitor | None:
        """The document in force; None without a document or while it cannot be used."""
        return self._configured.document

    @property
    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """The blind spots of the last second."""
        return self._blind_spots.spots

    @property
    def connected(self) -> bool:
        """Whether a proxy is connected."""
        return self._worker.connected

    @property
    def turns(self) -> int:
        """A number that changes at least twice a second unless the worker hangs."""
        return self._worker.turns

    def submit(self, command: SimpleCommand) -> Future[None]:
        """Queue a command for the worker; if it is refused, its future fails with the reason."""
        return self._worker.submit(command)

    def set_control(self, status: ControlStatus) -> None:
        """Show the control loop's `status` in report and metrics; its problem is also a warning of the report."""
        previous_problem = self._control.problem if self._control else None
        self._control = status
        self._announcer.control(status, self.report.started_at)
        if status.problem != previous_problem:
            self.submit(Warn("control", status.problem or ""))

    async def serve(self, stop: asyncio.Event) -> int:
        """Run until `stop` is set or the process must be recycled; return the exit status, 0 or RECYCLE_STATUS.

        Raises UsageError when the admin address cannot be bound, and any exception that ended the worker. On return,
        `stop` is set and a last checkpoint is written.
        """
        server = BoundedServer(self._views.build_response)
        try:
            await server.start(self._options.admin)
            self._start()
            memory.check_room(self._options.memory_limit, used_memory()[2] + memory.FIRST_RECORD_BYTES)
            admin = local_address(parse_listen_address(self._options.admin), server.port)
            self._announcer.started(self._options.document_path, admin)
            self._announcer.report(self.report)
            finished = asyncio.ensure_future(asyncio.wrap_future(self._worker.finished))
            stopped, polling = asyncio.create_task(stop.wait()), asyncio.create_task(self._poll())
            parts = (self._builder, self._resources, self._sync)
            background = [asyncio.create_task(part.run()) for part in parts if part is not None]
            awaited: list[asyncio.Future[Any]] = [finished, stopped, polling, *background]
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            leaving = stop.is_set()  # by a signal: the pod ends; otherwise, the process starts again
            stop.set()
            for task in background:
                task.cancel()
            await asyncio.wait(background)
            self._worker.stop()
            await finished
            self._announcer.report(self.report)
            polling.cancel()
            if self._sync is not None:
                await self._sync.end(leaving=leaving)
            for task in background:
                if not task.cancelled():
                    task.result()  # raises what ended it
            return RECYCLE_STATUS if self._worker.short_of_memory else await _exit_status(polling)
        finally:
            await server.stop()
            os.close(self._lock)

    def _build_sync(self) -> PodSync | None:
        if self._options.control is None:
            return None
        return build_sync(
            self._options.control,
            self._options.base_folder / DOCUMENT_FILE,
            learn=self._configured.settings.learn,
            actions=self._actions,
            worker=self._worker,
            read_page=lambda: read_counters(self._page_reader)[0],
            times=self._resources,
        )

    def _start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        self._write_proxy_settings()  # before the socket exists: the proxy reads them when it connects
        self._worker.start()

    def _write_proxy_settings(self) -> None:
        if self._configured.settings.problem:
            return
        shared = self._options.shared
        try:
            secure_folder(shared)
            write_proxy_settings(shared / SETTINGS_FILE, proxy_settings(self._configured.document))
        except OSError as error:
            problem = f"cannot write spec.traffic for the proxy: {error}; the proxy keeps its previous settings"
            self.submit(Warn("proxy", problem))

    async def _poll(self) -> int:
        """Check memory, files and blind spots once a second; return the exit status when the process must end."""
        self._blind_spots.update(self._reading())
        async with asyncio.TaskGroup() as files:
            polling = files.create_task(self._poll_files())  # a slow disk must not delay the look at the memory
            while True:
                await asyncio.sleep(POLL_SECONDS)
                self._announcer.report(self.report)
                if polling.done() or memory.near_limit(used_memory()[2], self._options.memory_limit):
                    polling.cancel()
                    return RECYCLE_STATUS
                self._blind_spots.update(self._reading())

    async def _poll_files(self) -> None:
        """Look at document, profile and token once a second; return when the document holds another usable document."""
        while not await self._document_changed():
            await self._profile_changed()
            await self._check_token()
            await asyncio.sleep(POLL_SECONDS)

    async def _document_changed(self) -> bool:
        """Return whether the file holds another usable document; warn in the report when it cannot be used."""
        watcher = self._document_watcher
        if watcher is None or not await asyncio.to_thread(watcher.changed):
            return False
        found = await asyncio.to_thread(_configure, self._options, effect_sizes_only)
        problem = found.settings.problem
        warning = f"the document changed, the previous one stays in force: {problem}" if problem else ""
        self.submit(Warn("document", warning))
        return not problem and found.document != self._configured.document

    async def _check_token(self) -> None:
        """Warn in report and log when the token file cannot be used any more; it can be replaced at any time."""
        found = await asyncio.to_thread(token_warning, self._options.token_file)
        if found != self._token_warning:
            self._token_warning = found
            self.submit(Warn("token", found))

    async def _profile_changed(self) -> None:
        try:
            if await self._actions.follow_file():
                self.submit(Warn("profile", ""))
        except ProfileRefusedError as error:
            previous = "the previous profile stays in force: " if self.report.profile else ""
            self.submit(Warn("profile", f"the profile's file changed, {previous}{error}"))

    def _rows(self) -> Iterator[RowBlock] | None:
        """Return the stored recent rows, oldest first; None when the document stores none."""
        keep = self._configured.settings.keep_rows
        return newest_blocks(self._options.state_folder / ROWS_FOLDER, RECENT, keep.rows) if keep else None

    def _read(self) -> ScrapeInput:
        reading = self._reading()
        found = readiness(reading, self._blind_spots.spots)
        metrics = self._configured.document.spec.metrics if self._configured.document else Metrics()
        return ScrapeInput(
            report=reading.report,
            page=reading.page,
            control=self._control,
            sync=reading.sync,
            now=reading.now,
            memory_limit=self._options.memory_limit,
            blind=found.spots,
            ready=found.ready,
            features=metrics.features,
            details=metrics.details,
            extra=self._resources.collectors(),
            resources=self._resources.report(reading.report),
        )

    def _reading(self) -> Reading:
        snapshot = self._worker.published  # read before the page, which must have at least the same exchanges
        page, page_problem = read_counters(self._page_reader)
        return Reading(
            now=time.time(),
            snapshot=snapshot,
            page=page,
            page_problem=page_problem,
            unreachable=read_upstreams(self._options.shared, page),
            connected=self.connected,
            sync=self._sync.status if self._sync is not None else None,
            setting=Setting(
                document=self._configured.document,
                profile_wanted=profile_wanted(self._configured, self._profile_store.lost) if not self._sync else "",
                detects=self._detects,
            ),
        )

    def _readiness(self) -> Readiness:
        return readiness(self._reading(), self._blind_spots.spots)

    def _config(self) -> dict[str, object]:
        options = self._options
        paths = {"shared": options.shared, "state": options.state_folder, "document": options.document_path}
        return {
            "options": {name: str(path) if path else None for name, path in paths.items()}
            | {"admin": options.admin, "admin_hosts": options.admin_hosts}
            | {"token": options.token_file is not None, "memory_limit": options.memory_limit},
            "document": redacted_document(self._configured.document),
        }


def _configure(options: Options, engine_factory: EngineFactory) -> Configuration:
    return configure(options.document_path, engine_factory, cluster=options.cluster, controlled=bool(options.control))


async def _exit_status(polling: asyncio.Task[int]) -> int:
    """Return the exit status of the poll task, 0 when it was cancelled."""
    try:
        return await polling
    except asyncio.CancelledError:
        return 0
