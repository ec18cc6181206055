"""Builds the profile of gathered rows: a child process with its own memory, time and priority, watched from here."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ..report.schema import Learning, Report
from ..rows.messages import Outcome, Progress, Wanted
from .commands import NoteLearning, Plain
from .decisions import Decisions
from .errors import RefusedError
from .settings import AnalyzerSettings
from .stores import LEARNING

LOOK_SECONDS = 0.5
TELL_SECONDS = 2.0
LONGEST_SECONDS = 900.0
MODULE = (sys.executable, "-P", "-m", "pilotfish.sidecar.rows.learn")
OUT_FILE = "learnt.profile"

Submit = Callable[[Plain], object]


class Builder:
    """Follows the report; once enough rows are gathered, builds their profile and decides on it."""

    def __init__(
        self,
        settings: AnalyzerSettings,
        folder: Path,
        memory: int,
        decisions: Decisions,
        read: Callable[[], Report],
        submit: Submit,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._memory = memory
        self._decisions = decisions
        self._read = read
        self._submit = submit

    async def run(self) -> None:
        """Build whenever there is something to build, until cancelled."""
        while True:
            learning = self._read().learning
            if learning is not None and learning.state == "building":
                with suppress(RefusedError):  # it was cancelled in the meantime, and its rows are gone
                    await self._build(learning)
            await asyncio.sleep(LOOK_SECONDS)

    async def _build(self, learning: Learning) -> None:
        out = self._folder / OUT_FILE
        outcome = await self._outcome(learning, out)
        if outcome is None:
            return
        if outcome.problem:
            await self._decisions.refuse_learnt(learning, outcome.problem)
            return
        raw = await asyncio.to_thread(out.read_bytes)
        await self._decisions.take_learnt(learning, raw, outcome.rows)
        out.unlink(missing_ok=True)

    async def _outcome(self, learning: Learning, out: Path) -> Outcome | None:
        """Return what the child came to; None when nobody wants it any more."""
        wanted = msgspec.json.encode(self._wanted(learning)).decode()
        command = (*MODULE, str(self._folder), LEARNING, str(out), wanted)
        silent = asyncio.subprocess.DEVNULL  # a traceback could hold a value of a row
        child = await asyncio.create_subprocess_exec(
            *command, stdin=silent, stdout=asyncio.subprocess.PIPE, stderr=silent
        )
        assert child.stdout is not None
        reading = asyncio.create_task(self._follow(child.stdout, learning))
        unwanted = asyncio.create_task(self._unwanted(learning))
        try:
            await asyncio.wait((reading, unwanted), timeout=LONGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if unwanted.done():
                return None
            if not reading.done():
                return Outcome(problem=f"building took more than {LONGEST_SECONDS:g} s; give fewer rows")
            found = reading.result()
            status = await child.wait()
            return found or Outcome(problem=f"the process that builds the profile ended with status {status}")
        finally:
            for task in (reading, unwanted):
                task.cancel()
            if child.returncode is None:
                child.kill()
                await child.wait()

    async def _follow(self, lines: asyncio.StreamReader, learning: Learning) -> Outcome | None:
        """Read what the child says to its end; return its outcome, None when it ended without one."""
        told = 0.0
        outcome: Outcome | None = None
        while line := await lines.readline():
            said = msgspec.json.decode(line, type=Outcome | Progress)
            if isinstance(said, Outcome):
                outcome = said
            elif time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                self._submit(NoteLearning(learning.id, progress=said.share))
        return outcome

    async def _unwanted(self, learning: Learning) -> None:
        while (now := self._read().learning) is not None and now.id == learning.id:  # noqa: ASYNC110  # a thread swaps reports
            await asyncio.sleep(LOOK_SECONDS)

    def _wanted(self, learning: Learning) -> Wanted:
        drift = self._settings.drift
        return Wanted(
            model=self._settings.model,
            version=self._settings.version,
            rows=learning.wanted,
            gathered=learning.gathered or learning.began,
            tick_seconds=drift.tick_seconds,
            tolerance=drift.tolerance,
            false_alarm_ticks=drift.ticks_per_false_alarm,
            memory=self._memory,
        )
