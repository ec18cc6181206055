"""Builds a profile from stored rows in a child process, which has its own limits of memory, time and priority.

It polls the report, because the learning state belongs to the worker. `actions.py` puts the result into force. The
child's error output is discarded: a traceback could contain a value of a row.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ...detectors.cells import missing_words
from ...detectors.profile.profile import Profile
from ..errors import RefusedError
from ..report.schema import LearningStatus, Report
from ..rows.learn_messages import LearnJob, LearnProgress, LearnResult
from ..settings.document import Learn
from ..system.files import read_file
from .actions import AuditedActions
from .commands import SimpleCommand, UpdateLearning
from .profile_store import MAX_PROFILE_BYTES
from .row_stores import LEARNING
from .settings import AnalyzerSettings

_LOG = logging.getLogger("pilotfish.analyzer")

POLL_SECONDS = 0.5
PROGRESS_SECONDS = 2.0  # the shortest time between two progress reports
MAX_BUILD_SECONDS = 900.0
MAX_NAMES = 48 * 1024  # bytes of names, twice in one argument; Linux allows 128 KiB
MODULE = (sys.executable, "-P", "-m", "pilotfish.sidecar.rows.learn")
OUT_FILE = "learnt.profile"

Submit = Callable[[SimpleCommand], object]


class ProfileBuilder:
    """Builds a profile whenever the report shows a learning in the state `building`."""

    def __init__(
        self,
        settings: AnalyzerSettings,
        folder: Path,
        memory: int,
        actions: AuditedActions,
        read: Callable[[], Report],
        submit: Submit,
        profile_in_force: Callable[[], Profile | None],
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._memory = memory
        self._actions = actions
        self._read = read
        self._submit = submit
        self._profile_in_force = profile_in_force

    async def run(self) -> None:
        """Build profiles until cancelled."""
        while True:
            learning = self._read().learning
            if learning is not None and learning.state == "building":
                with suppress(RefusedError):  # the learning was cancelled in the meantime
                    await self._build(learning)
            await asyncio.sleep(POLL_SECONDS)

    async def _build(self, learning: LearningStatus) -> None:
        out = self._folder / OUT_FILE
        result = await self._run_child(learning, out)
        if result is None:
            return
        if result.damage:
            _LOG.warning("a profile is learned from fewer rows: %s", result.damage)
        if result.problem:
            await self._actions.record_failed_build(learning, result.problem)
            return
        try:
            raw = await asyncio.to_thread(read_file, out, MAX_PROFILE_BYTES)
        except OSError as error:
            problem = f"the profile that was built cannot be read: {error.strerror}; request fewer rows"
            await self._actions.record_failed_build(learning, problem)
            return
        await self._actions.set_learned_profile(learning, raw, result.rows)
        out.unlink(missing_ok=True)

    async def _run_child(self, learning: LearningStatus, out: Path) -> LearnResult | None:
        """Run the child and return its result; None when the learning was cancelled meanwhile."""
        job = msgspec.json.encode(self._job(learning)).decode()
        command = (*MODULE, str(self._folder), LEARNING, str(out), job)
        devnull = asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(
            *command, stdin=devnull, stdout=asyncio.subprocess.PIPE, stderr=devnull
        )
        assert child.stdout is not None
        reading = asyncio.create_task(self._read_messages(child.stdout, learning))
        cancelled = asyncio.create_task(self._wait_cancelled(learning))
        try:
            await asyncio.wait((reading, cancelled), timeout=MAX_BUILD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if cancelled.done():
                return None
            if not reading.done():
                return LearnResult(problem=f"the build took more than {MAX_BUILD_SECONDS:g} s; request fewer rows")
            result = reading.result()
            status = await child.wait()
            return result or LearnResult(problem=f"the build process ended with status {status}")
        finally:
            for task in (reading, cancelled):
                task.cancel()
            if child.returncode is None:
                child.kill()
                await child.wait()

    async def _read_messages(self, lines: asyncio.StreamReader, learning: LearningStatus) -> LearnResult | None:
        """Read the child's messages and report its progress; return its result, None when it sent none."""
        reported_at = 0.0
        result: LearnResult | None = None
        while line := await lines.readline():
            message = msgspec.json.decode(line, type=LearnResult | LearnProgress)
            if isinstance(message, LearnResult):
                result = message
            elif time.monotonic() - reported_at >= PROGRESS_SECONDS:
                reported_at = time.monotonic()
                self._submit(UpdateLearning(learning.id, progress=message.share))
        return result

    async def _wait_cancelled(self, learning: LearningStatus) -> None:
        while (now := self._read().learning) is not None and now.id == learning.id:  # noqa: ASYNC110  # a thread swaps reports
            await asyncio.sleep(POLL_SECONDS)

    def _job(self, learning: LearningStatus) -> LearnJob:
        drift = self._settings.drift
        inputs, unsent = self._positions()
        return LearnJob(
            model=self._settings.model,
            version=self._settings.version,
            rows=learning.wanted,
            gathered=learning.gathered or learning.began,
            tick_seconds=drift.tick_seconds,
            tolerance=drift.tolerance,
            timezone=drift.timezone,
            false_alarm_ticks=drift.ticks_per_false_alarm,
            missing_words=self._missing_words(),
            memory=self._memory,
            inputs=inputs,
            unsent=unsent,
        )

    def _positions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the input columns of the profile in force and the unsent ones; empty if they are too long to pass."""
        profile = self._profile_in_force()
        if profile is None or len(msgspec.json.encode(profile.input_columns)) > MAX_NAMES:
            return (), ()
        return profile.input_columns, profile.unsent_columns

    def _missing_words(self) -> tuple[str, ...]:
        """Return the words of the profile in force; those of the document for the first profile."""
        profile = self._profile_in_force()
        if profile is not None:
            return profile.missing_words
        learn = self._settings.learn or Learn()
        return tuple(sorted(missing_words(learn.missing_words, learn.keep_words)))
