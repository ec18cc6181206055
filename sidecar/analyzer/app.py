"""The analyzer's process, put together: a thread that counts, an event loop that answers, a look around each second."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future

from ..channel import PAGE_FILE, SETTINGS_FILE, SOCKET_FILE
from ..channel.page import PageError, PageSnapshot, read_page
from ..channel.receiver import Receiver
from ..report.control_status import ControlStatus
from ..report.schema import Report
from ..rows.blocks import Block
from ..rows.log import newest_blocks
from ..settings.document import ModelMonitor
from ..settings.proxy import write_proxy_settings
from ..system.addresses import parse_address
from ..telemetry.process import memory_usage as used_memory
from ..telemetry.scrape import ScrapeInput
from . import memory
from .actions import AuditedActions
from .audit import AuditLog
from .checkpoint import CHECKPOINT_FILE
from .commands import SimpleCommand, TakeLabels, Warn
from .configuration import Configuration, configure, proxy_settings, redacted_document
from .engine import EngineFactory, effect_sizes_only
from .errors import ProfileRefusedError
from .exchange_ledger import ExchangeLedger, new_ledger_id
from .feedback.journal import LabelJournal
from .http.access import open_access_warning
from .http.server import AdminServer
from .http.views import ViewDependencies, Views
from .options import Options
from .persistence import Persistence
from .pipeline import Pipeline
from .profile_builder import ProfileBuilder
from .profile_store import FileWatcher, ProfileStore
from .row_stores import RECENT, ROWS_FOLDER, RowStores
from .snapshot import Publisher
from .startup import check_options, load_checkpoint, load_first_profile, resume_learning
from .totals_file import TOTALS_FILE, TotalsFile, open_locked
from .worker import Worker, WorkerDependencies

_LOG = logging.getLogger("pilotfish.analyzer")

RECYCLE_STATUS = 75
POLL_SECONDS = 1.0
LOCK_FILE = "lock"
GC_THRESHOLD = 20_000  # records come and go in thousands: a collection each 700 allocations would only look at them


def build(options: Options, engine_factory: EngineFactory | None = None) -> App:
    """Put the analyzer together from its options; with no engine given, effect sizes are all that it finds out.

    A document or profile that cannot be used leaves it idle, with the reason in the report. Raises UsageError for
    folders, addresses and files of the command line.
    """
    memory.limit_data(options.memory_limit, used_memory()[2])
    check_options(options)
    configured = configure(options.document, engine_factory or effect_sizes_only)
    totals_file = TotalsFile(options.shared / TOTALS_FILE)
    lock = open_locked(options.state_folder / LOCK_FILE, "--state")
    saved, damage = load_checkpoint(options)
    pipeline = Pipeline(configured.settings, ExchangeLedger.of_file(totals_file.read(), new_ledger_id()), saved)
    # from now on, a checkpoint with this id belongs to this counter page
    totals_file.write(pipeline.ledger.id, pipeline.counters.named())
    profile_store = ProfileStore(configured.profile_path, options.state_folder)
    problem = load_first_profile(pipeline, profile_store)
    resume_learning(pipeline)
    audit = AuditLog(options.state_folder)
    pipeline.show_decisions(audit.newest)
    journal = LabelJournal(options.state_folder)
    pipeline.replay(journal.load(), int(time.time() * 1e9), count_labels=not damage)
    for note in configured.notes:
        pipeline.notices.set(note, note)
    if damage:
        pipeline.notices.set("checkpoint", damage)
    if open_to_all := open_access_warning(parse_address(options.admin).host, options.token_file):
        pipeline.notices.set("admin", open_to_all)
        _LOG.warning("%s", open_to_all)
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
        open_receiver=lambda: Receiver(options.shared / SOCKET_FILE),
        now=time.time,
    )
    worker = Worker(dependencies, Publisher(time.time()))
    worker.submit(Warn("profile", problem))
    return App(options, configured, profile_store, audit, worker, lock)


class App:
    """The running analyzer: `serve` it once; `report`, `submit`, `set_control` are for the control loop beside it."""

    def __init__(
        self,
        options: Options,
        configured: Configuration,
        profile_store: ProfileStore,
        audit: AuditLog,
        worker: Worker,
        lock: int,
    ) -> None:
        self._options = options
        self._configured = configured
        self._profile_store = profile_store
        self._worker = worker
        self._lock = lock
        self._control: ControlStatus | None = None
        self._document_watcher = FileWatcher(options.document) if options.document else None
        self._actions = AuditedActions(audit, profile_store, self.submit, lambda: self.report)
        folder = options.state_folder / ROWS_FOLDER
        self._builder = ProfileBuilder(
            configured.settings, folder, options.memory_limit, self._actions, lambda: self.report, self.submit
        )
        self._views = Views(
            ViewDependencies(
                read=self._read,
                published=lambda: worker.published,
                config=self._config,
                take_labels=lambda labels: worker.submit(TakeLabels(labels)),
                actions=self._actions,
                rows=self._rows,
                alive=lambda: not worker.finished.done(),
                token_file=options.token_file,
            )
        )

    @property
    def report(self) -> Report:
        """The newest Report."""
        return self._worker.published.report

    @property
    def document(self) -> ModelMonitor | None:
        """The document in force; None without one, and while it cannot be used."""
        return self._configured.document

    def submit(self, command: SimpleCommand) -> Future[None]:
        """Hand a command to the worker; the future fails with why it was refused."""
        return self._worker.submit(command)

    def set_control(self, status: ControlStatus) -> None:
        """Show `status` in report and metrics from now on; what hinders the loop is a warning, too."""
        former = self._control.problem if self._control else None
        self._control = status
        if status.problem != former:
            self.submit(Warn("control", status.problem or ""))

    async def serve(self, stop: asyncio.Event) -> int:
        """Count and answer until `stop` is set (then 0) or it is time to start anew (75); raise what ended the worker.

        UsageError when an address cannot be listened at. At the end `stop` is set, and a last checkpoint is written.
        """
        server = AdminServer(self._views.build_response)
        try:
            await server.start(self._options.admin)
            self._start()
            finished = asyncio.ensure_future(asyncio.wrap_future(self._worker.finished))
            stopped, watched = asyncio.create_task(stop.wait()), asyncio.create_task(self._poll())
            building = asyncio.create_task(self._builder.run())
            await asyncio.wait((finished, stopped, watched, building), return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            building.cancel()
            await asyncio.wait((building,))
            self._worker.stop()
            await finished
            watched.cancel()
            return await _result(watched)
        finally:
            await server.stop()
            os.close(self._lock)

    def _start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        self._worker.start()
        if self._configured.settings.problem:
            return
        try:
            path = self._options.shared / SETTINGS_FILE
            write_proxy_settings(path, proxy_settings(self._configured.document))
        except OSError as error:
            self.submit(Warn("proxy", f"the proxy keeps its former settings, spec.traffic cannot be written: {error}"))

    async def _poll(self) -> int:
        """Look each second at memory, document and profile; return the status with which to end."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if memory.near_limit(used_memory()[2], self._options.memory_limit):
                return RECYCLE_STATUS
            if await self._document_changed():
                return RECYCLE_STATUS
            await self._profile_changed()

    async def _document_changed(self) -> bool:
        """Tell whether the document's file holds another one that can be used; one that cannot stays out, and shows."""
        watch = self._document_watcher
        if watch is None or not await asyncio.to_thread(watch.changed):
            return False
        found = await asyncio.to_thread(configure, self._options.document, effect_sizes_only)
        problem = found.settings.problem
        self.submit(
            Warn("document", f"the document changed, the former one stays in force: {problem}" if problem else "")
        )
        return not problem and found.document != self._configured.document

    async def _profile_changed(self) -> None:
        if not await asyncio.to_thread(self._profile_store.changed):
            return
        try:
            await self._actions.take_file()
            self.submit(Warn("profile", ""))
        except ProfileRefusedError as error:
            former = "the former profile stays in force: " if self.report.profile else ""
            self.submit(Warn("profile", f"the profile's file changed, {former}{error}"))

    def _rows(self) -> Iterator[Block] | None:
        """Return the recent rows that are kept, oldest first; None where none are."""
        keep = self._configured.settings.keep_rows
        return newest_blocks(self._options.state_folder / ROWS_FOLDER, RECENT, keep.rows) if keep else None

    def _read(self) -> ScrapeInput:
        report = self.report  # before the page: what the analyzer settled must not be newer than what the proxy saw
        return ScrapeInput(
            report=report,
            page=_page(self._options),
            control=self._control,
            now=time.time(),
            memory_limit=self._options.memory_limit,
        )

    def _config(self) -> dict[str, object]:
        options = self._options
        paths = {"shared": options.shared, "state": options.state_folder, "document": options.document}
        return {
            "options": {name: str(path) if path else None for name, path in paths.items()}
            | {"admin": options.admin, "token": options.token_file is not None, "memory_limit": options.memory_limit},
            "document": redacted_document(self._configured.document),
        }


def _page(options: Options) -> PageSnapshot | None:
    try:
        return read_page(options.shared / PAGE_FILE)
    except (OSError, PageError):  # no proxy yet, or one of another version: `pilotfish_proxy_up` says so
        return None


async def _result(watched: asyncio.Task[int]) -> int:
    """Return what the look around found to be the time for, 0 when it was cancelled."""
    try:
        return await watched
    except asyncio.CancelledError:
        return 0
