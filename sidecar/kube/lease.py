"""Leadership of one process among several, by a Lease.

    Elector.run:  read, plan, write --> leading: on_started() in a task --> lost or stopped: cancelled, on_stopped()

`election.py` decides; this module sends and waits. `Elector.check` is the guard of a connection (`Kube.guard`): it
compares a monotonic deadline before every write, so that a process that was paused, or whose renewals hang, does not
write although it led before.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ..errors import quote_value
from .client import Kube
from .create import create
from .election import Election, LeaseTiming, LeaseWrite
from .errors import AlreadyExistsError, ConflictError, KubeError, NotFoundError, NotLeaderError
from .objects import LEASES
from .read import get
from .replace import replace

JITTER = 0.2  # of the pause between two attempts

Callback = Callable[[], Awaitable[None]]

_log = logging.getLogger("pilotfish.kube")


def boot_time() -> float:
    """Return a monotonic time in seconds that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Elector:
    """Competes for a Lease. `identity` must be unique to the process, such as the pod's name and a random part."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        identity: str,
        *,
        timing: LeaseTiming = LeaseTiming(),  # noqa: B008  # frozen
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._kube = kube.unguarded()
        self._namespace = namespace
        self._name = name
        self._timing = timing
        self._clock = clock
        self._election = Election(namespace, name, identity, timing)
        self._problem = ""

    @property
    def identity(self) -> str:
        """The identity of this process in the Lease."""
        return self._election.identity

    @property
    def holder(self) -> str:
        """The identity of the holder as last read; empty if there is none."""
        return self._election.holder

    @property
    def leading(self) -> bool:
        """Whether this process leads now."""
        return self._leads()

    def check(self) -> float:
        """Return the seconds until another process may lead. Raises NotLeaderError if this one does not lead."""
        now = self._clock()
        if not self._election.leads(now):
            holder = quote_value(self.holder) if self.holder not in {"", self.identity} else "no other process"
            raise NotLeaderError(
                f"a write was not sent: process {quote_value(self.identity)} does not lead; the Lease "
                f"{self._namespace}/{self._name} is held by {holder}; {NotLeaderError.remedy}"
            )
        return self._election.expires_at() - now

    async def run(self, stop: asyncio.Event, on_started: Callback, on_stopped: Callback) -> None:
        """Compete until `stop` is set. Raises whatever the callbacks raise.

        `on_started` runs in a task while this process leads, and is cancelled when it no longer does; it may return
        early. `on_stopped` is awaited after its end, before this process competes again. After `stop`, both end while
        this process still leads; then the Lease is released.
        """
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        try:
            while not stopping.done():
                await self._attempt()
                if self._leads():
                    await self._lead(stopping, on_started, on_stopped)
                else:
                    await asyncio.wait([stopping], timeout=self._pause())
        finally:
            stopping.cancel()
            await self._release()

    async def _lead(self, stopping: asyncio.Future[Any], on_started: Callback, on_stopped: Callback) -> None:
        """Run `on_started`, renew the Lease until it is lost or `stopping` is done, and run `on_stopped`."""
        _log.info("this process leads: %s holds the Lease %s/%s", self.identity, self._namespace, self._name)
        work: asyncio.Future[Any] = asyncio.ensure_future(on_started())
        try:
            while self._leads() and not stopping.done():
                pause = min(self._timing.retry, self._election.leads_until() - self._clock())
                ends: list[asyncio.Future[Any]] = [stopping] if work.done() else [stopping, work]
                await asyncio.wait(ends, timeout=max(0.0, pause), return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
                if self._leads() and not stopping.done():
                    await self._attempt()
        finally:
            if not self._leads():
                _log.warning("this process no longer leads: %s", self.identity)
            raised = work.done()  # then its exception is on its way
            work.cancel()
            await asyncio.wait((work,))
            if not raised and not work.cancelled() and work.exception() is not None:
                _log.error("the work of the leader ended with an exception", exc_info=work.exception())
            await on_stopped()

    async def _attempt(self) -> None:
        """Try once to acquire or renew the Lease, for no longer than this process leads; log what fails."""
        now = self._clock()
        limit = self._timing.request
        if self._election.leads(now):
            limit = min(limit, self._election.leads_until() - now)
        try:
            async with asyncio.timeout(limit):
                await self._acquire()
            problem = ""
        except TimeoutError:
            problem = f"no response within {limit:.3g} s"
            self._election.refused()  # the write may have been stored
        except KubeError as error:
            problem = str(error)
            self._election.refused()
        if problem and problem != self._problem:
            _log.warning("the Lease %s/%s was not renewed: %s", self._namespace, self._name, problem)
        self._problem = problem

    async def _acquire(self) -> None:
        """Read the Lease unless its state is known, and write it if this process may. Raises KubeError."""
        for _ in range(2):
            if not (self._election.current and self._leads()):
                await self._observe()
            plan = self._election.plan(self._clock(), datetime.now(UTC))
            if plan is None:
                return
            started = self._clock()
            try:
                written = await self._send(plan)
            except (AlreadyExistsError, ConflictError, NotFoundError):
                self._election.refused()
                continue
            self._election.wrote(written, started, self._clock())
            return

    async def _observe(self) -> None:
        try:
            found = await get(self._kube, LEASES, self._name, self._namespace, timeout=self._timing.request)
        except NotFoundError:
            found = None
        self._election.observe(found, self._clock())

    async def _send(self, write: LeaseWrite) -> dict[str, object]:
        if write.exists:
            return await replace(self._kube, LEASES, write.body, timeout=self._timing.request)
        return await create(self._kube, LEASES, write.body, self._namespace, timeout=self._timing.request)

    async def _release(self) -> None:
        """Give the Lease up, so that another process leads at once; without success, it expires."""
        try:
            async with asyncio.timeout(self._timing.request):
                for _ in range(2):
                    write = self._election.resign(datetime.now(UTC))
                    if write is None:
                        return
                    with suppress(ConflictError):
                        await self._send(write)
                        return
                    await self._observe()
        except (TimeoutError, KubeError) as error:
            why = "no response" if isinstance(error, TimeoutError) else error
            _log.warning("the Lease %s/%s was not released: %s", self._namespace, self._name, why)

    def _leads(self) -> bool:
        return self._election.leads(self._clock())

    def _pause(self) -> float:
        return self._timing.retry * random.uniform(1 - JITTER, 1 + JITTER)
