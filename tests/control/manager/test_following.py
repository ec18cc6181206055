"""Pods that name no monitor follow the one whose target selects them, whatever happens to the monitors."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
import pytest

from pilotfish.sidecar.callers.errors import RefusedRequestError
from pilotfish.sidecar.control.manager import refreshing, runtime
from pilotfish.sidecar.control.manager.backend import ControllerBackend
from pilotfish.sidecar.control.manager.conditions import findings
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.monitors import Mirrors, Monitors
from pilotfish.sidecar.control.manager.selectors import from_object
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.manager.world import TargetWorkload
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.retrain.alerts import AlertBook
from pilotfish.sidecar.settings.document import TargetRef
from pilotfish.sidecar.sync.messages import Signals, SyncResponse
from tests.control.manager.worlds import NOON, TICK, SmallWorld, monitor_item, pod_item, report_of
from tests.support.waiting import eventually, patient

pytestmark = pytest.mark.asyncio
FIRST = int(NOON // TICK)
OLD, NEW = (MonitorKey("team", name, f"5d0b5c1e-{name}") for name in ("old", "new"))
AGE = {OLD: "2027-01-01T00:00:00Z", NEW: "2027-01-02T00:00:00Z"}


def item(key: MonitorKey, *, target: str = "delays", generation: int = 1) -> dict[str, Any]:
    made = monitor_item(generation, key=key, targetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": target})
    made["metadata"]["creationTimestamp"] = AGE[key]
    return made


@dataclass
class Namespace:
    """The monitors of one namespace, and a backend that answers its pods."""

    small: SmallWorld
    monitors: Monitors
    backend: ControllerBackend
    stop: asyncio.Event
    unknown: set[str] = field(default_factory=set)  # targets that cannot be read

    def put(self, *items: dict[str, Any]) -> None:
        self.monitors.reconcile(items, self.stop)

    async def ask(self, pod: str = "a", ticks: tuple[int, ...] = (), named: str = "", **fields: Any) -> SyncResponse:
        request = report_of(pod, ticks, **{"generation": 0, "profile_hash": "", **fields})
        return await self.backend.sync(msgspec.structs.replace(request, monitor=named))

    async def until(self, accepts: Callable[[SyncResponse], bool], pod: str = "a", **fields: Any) -> SyncResponse:
        async with asyncio.timeout(patient(10)):
            while True:
                with suppress(RefusedRequestError):  # starting
                    if accepts(found := await self.ask(pod, **fields)):
                        return found
                await asyncio.sleep(0)

    def reason(self, key: MonitorKey, condition: str = "Ready") -> str:
        view = self.monitors.runtimes[key.namespace, key.name].view()
        return next(one.reason for one in findings(view) if one.type == condition)


@asynccontextmanager
async def namespace(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Namespace]:
    monkeypatch.setattr(runtime, "TURN", 0.01)
    monkeypatch.setattr(refreshing, "AGAIN", 0.02)
    small, stop = SmallWorld(), asyncio.Event()
    small.add_pods("a", "b")

    async def find(_namespace: str, target: TargetRef) -> TargetWorkload:
        if target.name in made.unknown:
            raise TroubleError(Reason.API_SERVER_UNREACHABLE, "not now")
        if target.name == "nothing":
            raise TroubleError(Reason.TARGET_NOT_FOUND, "it does not exist")
        return TargetWorkload(from_object({"matchLabels": {"app": target.name}}))

    mirrors = Mirrors(cast("Any", None), index=small.pods)
    world = replace(small.world(), find_target=find)
    monitors = Monitors(world, mirrors, cast("Any", None), cast("Any", None))
    backend = ControllerBackend(
        leads=lambda: True,
        monitors=lambda: monitors,
        clock=lambda: small.now,
        problems=tuple,
        book=AlertBook(),
        failures=Counter,
    )
    made = Namespace(small, monitors, backend, stop)
    try:
        yield made
    finally:
        made.put()  # ends the tasks of all monitors
        await asyncio.sleep(0)


async def test_a_monitor_that_is_created_later_is_followed_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    async with namespace(monkeypatch) as here:
        with pytest.raises(RefusedRequestError, match="not read all ModelMonitors"):
            await here.ask()
        here.put()
        assert await here.ask() == SyncResponse()
        await here.backend.signals(Signals(pod=report_of("a", []).pod, monitor="", at=NOON))  # ignored
        here.put(item(OLD))
        found = await here.until(lambda answer: bool(answer.document))
        assert (found.monitor, found.monitor_uid, found.generation) == (OLD.name, OLD.uid, 1)
        assert here.backend.monitor_of(report_of("a", []).pod, "") == OLD.name


async def test_a_pod_that_is_not_seen_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with namespace(monkeypatch) as here:
        here.put(item(OLD))
        await here.until(lambda answer: answer.monitor == OLD.name)
        found = await here.ask("stranger")
        assert found.monitor == ""
        assert "pilotfish.dev/injected=true" in found.problem


async def test_the_older_of_two_monitors_is_followed_and_the_other_one_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with namespace(monkeypatch) as here:
        here.put(item(NEW), item(OLD))
        await here.until(lambda answer: answer.monitor == OLD.name)
        await eventually(lambda: here.reason(NEW) == "TargetShared", what="the condition")
        assert here.monitors.runtimes["team", NEW.name].view().expected == 0
        assert here.reason(OLD) != "TargetShared"
        await here.until(lambda answer: answer.monitor == NEW.name, "b", named=NEW.name)  # it names the younger one
        await eventually(lambda: here.monitors.runtimes["team", NEW.name].view().expected == 1, what="the pod")
        await eventually(lambda: here.reason(OLD, "Degraded") == "TargetShared", what="the condition of the older one")


async def test_counts_of_a_deleted_monitor_never_reach_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with namespace(monkeypatch) as here:
        here.put(item(OLD), item(NEW))
        profile = (await here.until(lambda answer: bool(answer.profile_hash))).profile_hash
        here.put(item(NEW))
        here.small.now = (FIRST + 1) * TICK + 5
        fields: dict[str, Any] = {"profile_hash": profile, "generation": 1, "monitor_uid": OLD.uid}
        found = await here.until(lambda answer: answer.monitor == NEW.name and bool(answer.profile_hash), **fields)
        assert found.profile_hash == profile  # both use the same profile
        assert found.document  # although both have generation 1
        after = await here.ask(ticks=(FIRST,), **fields)
        assert after.acknowledged == ()
        status = here.monitors.runtimes["team", NEW.name].core.status("7")
        assert status is not None
        assert status.open_ticks == 0


async def test_a_monitor_that_lost_a_pod_gets_the_counts_that_were_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with namespace(monkeypatch) as here:
        here.put(item(OLD), item(NEW))
        profile = (await here.until(lambda answer: bool(answer.profile_hash))).profile_hash
        here.put(item(OLD, target="other", generation=2), item(NEW))
        here.small.now = (FIRST + 1) * TICK + 5
        fields: dict[str, Any] = {"ticks": (FIRST,), "profile_hash": profile, "generation": 1, "monitor_uid": OLD.uid}
        await here.until(lambda answer: answer.monitor == NEW.name, **fields)
        await here.until(lambda answer: [one.tick for one in answer.acknowledged] == [FIRST], **fields)


@pytest.mark.parametrize("target", ["other", "nothing"])
async def test_a_pod_without_any_monitor_left_drops_its_document(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with namespace(monkeypatch) as here:
        here.put(item(OLD))
        await here.until(lambda answer: answer.monitor == OLD.name)
        here.put(item(OLD, target=target, generation=2))
        found = await here.until(lambda answer: not answer.monitor, monitor_uid=OLD.uid, generation=1)
        assert (found.document, found.problem) == (b"", "")


async def test_a_pod_stays_with_its_monitor_while_another_leader_has_not_found_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with namespace(monkeypatch) as here:
        here.unknown.add("delays")
        here.put(item(OLD), item(NEW, target="same"))
        here.small.pods.change("MODIFIED", pod_item("a", app="same"))
        await here.until(lambda answer: answer.monitor == NEW.name)
        kept = await here.until(lambda answer: bool(answer.monitor), monitor_uid=OLD.uid, generation=1)
        assert (kept.monitor, kept.document) == (OLD.name, b"")
        here.unknown.clear()
        await here.until(lambda answer: answer.monitor == NEW.name, monitor_uid=OLD.uid, generation=1)
