"""Does what a response of the controller asks for: store the document, switch the profile, learn, offer a profile.

Each step compares what the controller wants with what is there, so that a lost response or a restart changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import Future

from ....detectors.profile.profile import Profile
from ...errors import PilotfishError
from ...report.schema import LearningStatus
from ...settings.document import Learn
from ...sync.messages import SyncResponse
from ..actions import AuditedActions
from ..commands import BeginLearning, SimpleCommand
from ..errors import ProfileRefusedError
from ..profile_store import parse_profile
from ..snapshot import Snapshot
from .document import StoredDocument
from .options import SyncOptions
from .transport import Transport

_LOG = logging.getLogger("pilotfish.sync")

BY = "the controller"
REFUSED_SECONDS = 600.0  # after which a profile that could not be used is fetched again


class Follower:
    """Follows the responses of the controller.

    `problem` is why the last one could not be followed; empty otherwise. `monitor` is the name of the ModelMonitor in
    the last one, and `no_monitor` whether it said that none targets this pod. `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        options: SyncOptions,
        document: StoredDocument,
        transport: Transport,
        actions: AuditedActions,
        learn: Learn,
        published: Callable[[], Snapshot],
        submit: Callable[[SimpleCommand], Future[None]],
        clock: Callable[[], float],
    ) -> None:
        self.document = document
        self._options = options
        self._transport = transport
        self._actions = actions
        self._learn = learn
        self._published = published
        self._submit = submit
        self._clock = clock
        self._refused: tuple[str, float, str] = ("", 0.0, "")  # hash of a profile, until when, why
        self.problem = ""
        self.monitor = options.monitor
        self.no_monitor = False

    @property
    def learned(self) -> str:
        """The hash of the profile in force if this pod learned it, else empty."""
        report = self._published().report
        found = report.profile.hash if report.profile is not None else ""
        return found if any(entry.action == "learn" and entry.new == found for entry in report.decisions) else ""

    async def follow(self, response: SyncResponse) -> bool:
        """Do what `response` asks for; return whether another request should follow at once."""
        try:
            again = await self._follow(response)
        except PilotfishError as error:
            self.problem = str(error)
            return False
        self.problem = ""
        return again

    async def _follow(self, response: SyncResponse) -> bool:
        self.monitor = response.monitor or self._options.monitor
        self._set_no_monitor(not self.monitor)
        if self.no_monitor:
            await asyncio.to_thread(self.document.remove)
            return False
        stored, wanted = self.document, response.monitor_uid
        known = response.generation == stored.generation and wanted in ("", stored.uid)
        if response.document and not known:
            await asyncio.to_thread(self.document.store, response.document, response.generation)
            return False  # the analyzer restarts if the document differs
        if wanted not in ("", self._options.monitor_uid):
            return False  # it restarts soon, or keeps an earlier document: the profile is that of another monitor
        report = self._published().report
        present = report.profile.hash if report.profile is not None else ""
        if response.profile_hash:
            if response.profile_hash == present or report.state == "idle":
                return False
            await self._switch(response.profile_hash)
            return True
        if not response.learn or report.state == "idle":
            return False
        if learned := self.learned:
            return await self._offer(learned)
        if not present and report.learning is None:
            await self._begin_learning()
        return False

    def _set_no_monitor(self, found: bool) -> None:
        if found and not self.no_monitor:
            _LOG.info(
                "no_monitor: no ModelMonitor targets this pod, so its traffic is measured and drift is not; create one "
                "whose spec.targetRef names the workload of this pod"
            )
        self.no_monitor = found

    async def _switch(self, wanted: str) -> None:
        """Fetch the profile, verify its hash and put it into force."""
        refused, until, why = self._refused
        if wanted == refused and self._clock() < until:
            raise ProfileRefusedError(why)
        raw = await self._transport.fetch_profile(wanted)
        try:
            profile = await asyncio.to_thread(_parse, raw, wanted)
            await self._actions.set_parsed_profile(profile, raw, by=BY)
        except ProfileRefusedError as error:
            self._refused = wanted, self._clock() + REFUSED_SECONDS, str(error)
            raise

    async def _offer(self, learned: str) -> bool:
        profile = self._published().profile
        if profile is None or profile.hash != learned:
            return False
        await self._transport.offer_profile(learned, await asyncio.to_thread(profile.to_bytes))
        return True

    async def _begin_learning(self) -> None:
        learning = LearningStatus(
            id=secrets.token_hex(8),
            kind="learn",
            wanted=self._learn.rows,
            by=BY,
            began=self._published().report.made_at,
        )
        await asyncio.wrap_future(self._submit(BeginLearning(learning)))


def _parse(raw: bytes, wanted: str) -> Profile:
    """Return the profile in `raw`; raise ProfileRefusedError if it is damaged or has another hash than `wanted`."""
    where = f"the profile {wanted[:12]} of the controller"
    profile = parse_profile(raw, where)
    if profile.hash != wanted:
        raise ProfileRefusedError(f"{where} has the hash {profile.hash[:12]}; store it again in the controller")
    return profile
