"""The analyzer's process, put together: a thread that counts, an event loop that answers, a look around each second."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future

from ..channel import PAGE_FILE, SETTINGS_FILE, SOCKET_FILE
from ..channel.page import PageError, PageSnapshot, read_page
from ..channel.receiver import Receiver
from ..errors import UsageError, shown
from ..report.control_status import ControlStatus
from ..report.schema import Learning, Report
from ..rows.blocks import Block
from ..rows.log import newest_blocks
from ..settings.document import ModelMonitor
from ..settings.proxy import write_proxy_settings
from ..system.addresses import parse_address
from ..system.tokens import read_token
from ..telemetry.own import memory as used_memory
from ..telemetry.reading import Reading
from . import checkpoint, memory
from .audit import Audit
from .builder import Builder
from .commands import Plain, TakeLabels, Warn
from .configure import Configured, configure, proxy_settings, shown_document
from .core import Core
from .decisions import Decisions
from .engine import EngineFactory, effect_sizes_only
from .errors import ProfileRefusedError
from .fates import FATES_FILE, FatesFile, locked
from .feedback.journal import Journal
from .http.access import unguarded
from .http.server import AdminServer
from .http.views import Sources, Views
from .ledger import Ledger, restore
from .options import Options
from .profiles import FileWatch, ProfileShelf
from .publish import Publisher
from .stores import RECENT, ROWS_FOLDER, Stores
from .worker import Desk, Worker, fresh_id

_LOG = logging.getLogger("pilotfish.analyzer")

RECYCLE_STATUS = 75
LOOK_SECONDS = 1.0
LOCK_FILE = "lock"
YOUNG_OBJECTS = 20_000  # records come and go in thousands: a collection each 700 allocations would only look at them


def build(options: Options, engine_factory: EngineFactory | None = None) -> App:
    """Put the analyzer together from its options; with no engine given, effect sizes are all that it finds out.

    A document or profile that cannot be used leaves it idle, with the reason in the report. Raises UsageError for
    folders, addresses and files of the command line.
    """
    memory.limit_data(options.memory_limit, used_memory()[2])
    _check(options)
    configured = configure(options.document, engine_factory or effect_sizes_only)
    fates = FatesFile(options.shared / FATES_FILE)
    lock = locked(options.state_folder / LOCK_FILE, "--state")
    saved, damage = _saved(options)
    totals = (saved["ledger_id"], saved["totals"]) if saved else None
    ledger = Ledger(*restore(fates.read(), totals, fresh_id()))
    fates.write(ledger.id, ledger.totals)  # from now on it is known which checkpoints are of this ledger
    core = Core(configured.setup, ledger, saved)
    shelf = ProfileShelf(configured.profile_path, options.state_folder)
    kept = _begin(core, shelf)
    _begin_learning(core)
    audit = Audit(options.state_folder)
    core.decisions = audit.newest
    journal = Journal(options.state_folder)
    core.replay(journal.load(), int(time.time() * 1e9), redo=not damage)
    core.warnings |= {note: note for note in configured.notes} | ({"checkpoint": damage} if damage else {})
    desk = Desk(
        core=core,
        fates=fates,
        checkpoint=options.state_folder / checkpoint.CHECKPOINT_FILE,
        journal=journal,
        stores=Stores(options.state_folder, core),
        listen=lambda: Receiver(options.shared / SOCKET_FILE),
        now=time.time,
    )
    if open_to_all := unguarded(parse_address(options.admin).host, options.token_file):
        core.warnings["admin"] = open_to_all
        _LOG.warning("%s", open_to_all)
    worker = Worker(desk, Publisher(time.time()))
    worker.submit(Warn("profile", kept))
    return App(options, configured, shelf, audit, worker, lock)


class App:
    """The running analyzer: `serve` it once; `report`, `submit`, `set_control` are for the control loop beside it."""

    def __init__(
        self, options: Options, configured: Configured, shelf: ProfileShelf, audit: Audit, worker: Worker, lock: int
    ) -> None:
        self._options = options
        self._configured = configured
        self._shelf = shelf
        self._worker = worker
        self._lock = lock
        self._control: ControlStatus | None = None
        self._document_watch = FileWatch(options.document) if options.document else None
        self._decisions = Decisions(audit, shelf, self.submit, lambda: self.report)
        folder = options.state_folder / ROWS_FOLDER
        self._builder = Builder(
            configured.setup, folder, options.memory_limit, self._decisions, lambda: self.report, self.submit
        )
        self._views = Views(
            Sources(
                read=self._read,
                published=lambda: worker.published,
                config=self._config,
                take_labels=lambda labels: worker.submit(TakeLabels(labels)),
                decisions=self._decisions,
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

    def submit(self, command: Plain) -> Future[None]:
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
        server = AdminServer(self._views.answer)
        try:
            await server.start(self._options.admin)
            self._start()
            finished = asyncio.ensure_future(asyncio.wrap_future(self._worker.finished))
            stopped, watched = asyncio.create_task(stop.wait()), asyncio.create_task(self._look_around())
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
        gc.set_threshold(YOUNG_OBJECTS)
        self._worker.start()
        if self._configured.setup.problem:
            return
        try:
            path = self._options.shared / SETTINGS_FILE
            write_proxy_settings(path, proxy_settings(self._configured.document))
        except OSError as error:
            self.submit(Warn("proxy", f"the proxy keeps its former settings, spec.traffic cannot be written: {error}"))

    async def _look_around(self) -> int:
        """Look each second at memory, document and profile; return the status with which to end."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if memory.worn_out(used_memory()[2], self._options.memory_limit):
                return RECYCLE_STATUS
            if await self._document_changed():
                return RECYCLE_STATUS
            await self._profile_changed()

    async def _document_changed(self) -> bool:
        """Tell whether the document's file holds another one that can be used; one that cannot stays out, and shows."""
        watch = self._document_watch
        if watch is None or not await asyncio.to_thread(watch.changed):
            return False
        found = await asyncio.to_thread(configure, self._options.document, effect_sizes_only)
        problem = found.setup.problem
        self.submit(
            Warn("document", f"the document changed, the former one stays in force: {problem}" if problem else "")
        )
        return not problem and found.document != self._configured.document

    async def _profile_changed(self) -> None:
        if not await asyncio.to_thread(self._shelf.changed):
            return
        try:
            await self._decisions.take_file()
            self.submit(Warn("profile", ""))
        except ProfileRefusedError as error:
            former = "the former profile stays in force: " if self.report.profile else ""
            self.submit(Warn("profile", f"the profile's file changed, {former}{error}"))

    def _rows(self) -> Iterator[Block] | None:
        """Return the recent rows that are kept, oldest first; None where none are."""
        keep = self._configured.setup.keep_rows
        return newest_blocks(self._options.state_folder / ROWS_FOLDER, RECENT, keep.rows) if keep else None

    def _read(self) -> Reading:
        report = self.report  # before the page: what the analyzer settled must not be newer than what the proxy saw
        return Reading(
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
            "document": shown_document(self._configured.document),
        }


def _check(options: Options) -> None:
    """Raise UsageError for what the command line says and cannot be."""
    parse_address(options.admin, what="--admin")
    if options.token_file is not None:
        read_token(options.token_file)
    for folder in (options.shared, options.state_folder):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot use the folder {shown(folder)}: {error.strerror}") from error


def _saved(options: Options) -> tuple[checkpoint.State | None, str]:
    """Return the checkpoint's state, or None and why a damaged one was left behind."""
    try:
        return checkpoint.load(options.state_folder / checkpoint.CHECKPOINT_FILE), ""
    except checkpoint.CheckpointError as error:
        return None, f"evidence starts afresh: {error}"


def _begin(core: Core, shelf: ProfileShelf) -> str:
    """Give the core its first profile; one that cannot be used leaves it idle. Return what is to be said of a kept one.

    A kept profile that cannot be used gives way to the document's own.
    """
    if core.setup.problem:
        return ""
    note = ""
    try:
        if (kept := shelf.kept()) is not None:
            core.set_profile(kept, resumed=True)
            return ""
    except ProfileRefusedError as error:
        note = f"{error}; {shelf.set_aside()}, put it anew (PUT /profile) to have it back"
    try:
        if (own := shelf.newer()) is not None:
            core.set_profile(own, resumed=True)
            shelf.accept()
    except ProfileRefusedError as error:
        core.idle_reason = str(error)
    return note


def _begin_learning(core: Core) -> None:
    """Begin to learn a first profile if the document says so and there is none; end what is done, or not wanted."""
    learn, learner = core.setup.learn, core.learner
    if core.idle_reason:
        return
    if learner.learning is not None and learner.learning.kind == "learn" and (core.watch or learn is None):
        learner.learning = None
    if learn is not None and core.watch is None and learner.learning is None:
        learner.begin(Learning(id=secrets.token_hex(8), kind="learn", wanted=learn.rows, began=time.time()))


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
