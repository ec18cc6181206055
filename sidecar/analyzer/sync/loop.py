"""Sends the counts of this pod to the controller, about once a tick, and follows its responses.

An attempt that fails changes nothing: all unacknowledged ticks are in the next request. The pod serves and counts
without the controller, and only the state of the sync shows that it is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from random import Random

from ...errors import PilotfishError
from ...report.sync_status import SyncStatus
from ...sync.messages import SyncRequest, SyncResponse, decode, encode
from ..commands import AcknowledgeTicks, SimpleCommand, Warn
from ..errors import StoppingError
from ..peer import PeerError
from ..snapshot import Snapshot
from .follower import Follower
from .options import SyncOptions
from .requests import build_last_requests, build_requests
from .schedule import first_delay, interval_of, next_delay
from .transport import Transport

_LOG = logging.getLogger("pilotfish.sync")

LEAVE_SECONDS = 1.0  # for the last requests; Kubernetes kills the pod soon after
LEAVE_RETRY_SECONDS = 0.2
FOLLOW_UPS = 3  # requests that follow at once, so that two sides that disagree cannot make a fast loop


class ControlSync:
    """The sync of one pod. `run` it until the analyzer ends, then `leave` if the pod ends, too."""

    def __init__(
        self,
        options: SyncOptions,
        transport: Transport,
        follower: Follower,
        published: Callable[[], Snapshot],
        submit: Callable[[SimpleCommand], Future[None]],
        random: Random,
    ) -> None:
        self._options = options
        self._transport = transport
        self._follower = follower
        self._published = published
        self._submit = submit
        self._random = random
        self._failures = 0
        self._last_success: float | None = None
        self._problem = ""
        self._shown = ""
        self._requests: Counter[str] = Counter()

    @property
    def status(self) -> SyncStatus:
        """The state of the sync at this moment."""
        snapshot = self._published()
        ticks = snapshot.sync.ticks if snapshot.sync is not None else ()
        seconds = snapshot.report.ticks.tick_seconds
        return SyncStatus(
            control=self._options.url.partition("//")[2],
            monitor=self._follower.monitor,
            no_monitor=self._follower.no_monitor,
            last_success=self._last_success,
            unacknowledged=len(ticks),
            oldest=min((item.tick + 1) * seconds for item in ticks) if ticks else None,
            dropped=snapshot.sync.dropped if snapshot.sync is not None else 0,
            problem=self._problem,
            generation=self._follower.document.generation,
            requests=tuple(sorted(self._requests.items())),
        )

    async def run(self) -> None:
        """Send requests until cancelled."""
        tick_seconds = self._published().report.ticks.tick_seconds
        delay = first_delay(self._random, interval_of(tick_seconds))
        while True:
            await asyncio.sleep(delay)
            retry_after = await self._attempt()
            interval = interval_of(tick_seconds, no_monitor=self._follower.no_monitor)
            delay = next_delay(self._random, interval, self._failures, retry_after)

    async def leave(self) -> None:
        """Send what is left, with the open ticks as far as they go, as the last requests of this pod."""
        if self._follower.no_monitor:
            return
        requests = build_last_requests(self._options, self._published(), generation=self._follower.document.generation)
        why = f"no response within {LEAVE_SECONDS:g} s"
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                while requests:
                    try:
                        await self._transport.sync(await asyncio.to_thread(encode, requests[0]), timeout=LEAVE_SECONDS)
                        del requests[0]
                    except PeerError as error:
                        why = str(error)
                        await asyncio.sleep(LEAVE_RETRY_SECONDS)
        if requests:
            _LOG.warning("the controller does not have the last counts of this pod: %s", why)
        else:
            _LOG.info("the controller has the counts of this pod up to its end")

    async def _attempt(self) -> float:
        """Send all that waits and follow the response; return for how long the controller asks to wait."""
        retry_after = 0.0
        try:
            for _ in range(FOLLOW_UPS):
                response = await self._send_all()
                if not await self._follower.follow(response):
                    break
        except PeerError as error:
            self._failed(str(error))
            retry_after = error.retry_after
        except PilotfishError as error:  # a response that cannot be read
            self._failed(str(error))
        except Exception as error:  # a defect here must not end the analyzer
            _LOG.exception("the sync with the controller failed; this is a defect, please report it")
            self._failed(f"{type(error).__name__} in the sync; this is a defect, please report it")
        else:
            self._failures, self._last_success = 0, time.time()
            self._problem = self._follower.problem or response.problem
        self._show()
        return retry_after

    async def _send_all(self) -> SyncResponse:
        """Send the requests of this moment; return the last response."""
        follower = self._follower
        requests = build_requests(
            self._options,
            self._published(),
            generation=follower.document.generation,
            learned=follower.learned,
            problem=follower.problem,
        )
        for request in requests:
            response = await self._send(request)
        return response

    async def _send(self, request: SyncRequest) -> SyncResponse:
        body = await asyncio.to_thread(encode, request)
        try:
            response = decode(await self._transport.sync(body), SyncResponse)
        except PeerError as error:
            self._requests[error.outcome] += 1
            raise
        self._requests["ok"] += 1
        if response.acknowledged:
            with suppress(StoppingError):  # the worker has ended; the ticks are sent again after the restart
                command = AcknowledgeTicks(request.epoch, response.acknowledged)
                await asyncio.wrap_future(self._submit(command))
        return response

    def _failed(self, problem: str) -> None:
        self._failures += 1
        self._problem = problem

    def _show(self) -> None:
        """Show the problem as a warning of the report, unless it is a single failure."""
        shown = self._problem if self._failures != 1 or self._shown else ""
        if shown != self._shown:
            self._shown = shown
            self._submit(Warn("sync", shown))
