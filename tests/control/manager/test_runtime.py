"""One monitor in the leader: from the counts of pods to one retraining per cause, across crashes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pilotfish.sidecar.control.manager.backend import ControllerBackend
from pilotfish.sidecar.control.manager.monitors import Mirrors, Monitors
from pilotfish.sidecar.control.manager.switch import PAUSED, KillSwitch
from pilotfish.sidecar.control.retrain.alerts import AlertBook
from pilotfish.sidecar.settings.load import parse_resource
from pilotfish.sidecar.settings.sources import source_for
from tests.control.manager.lives import PODS, Life
from tests.control.manager.worlds import NOON, TICK, SmallWorld, monitor_item, report_of

pytestmark = pytest.mark.asyncio

FIRST = int(NOON // TICK)


def world() -> SmallWorld:
    found = SmallWorld()
    found.add_pods(*PODS)
    return found


async def started(small: SmallWorld, item: dict | None = None) -> Life:
    process = Life(small, item)
    await process.begin()
    return process


def conditions(small: SmallWorld) -> dict[str, str]:
    return {item["type"]: f"{item['status']}/{item['reason']}" for item in small.status["conditions"]}


async def test_drift_of_the_fleet_requests_one_retraining() -> None:
    small = world()
    process = await started(small)
    for tick in range(FIRST, FIRST + 12):
        await process.hear(tick, drifted_from=FIRST + 5)
    assert len(small.receiver.seen) == 1
    assert [reason for reason, _ in small.events].count("AlarmOpened") == 1
    assert conditions(small)["Drifted"] == "True/DriftDetected"
    assert conditions(small)["Ready"] == "True/Monitoring"
    episode = small.status["episodes"][0]
    assert episode["retraining"]["state"] == "requested"
    assert small.status["pods"] == {"heard": 3, "expected": 3}
    actions = [json.loads(line)["action"] for line in small.lines]
    assert {"document", "alarm", "intent"} <= set(actions)


async def test_another_leader_neither_forgets_nor_repeats() -> None:
    small = world()
    process = await started(small)
    for tick in range(FIRST, FIRST + 8):
        await process.hear(tick, drifted_from=FIRST + 5)
    first = process.runtime.published
    again = await started(small)
    assert again.runtime.published is not None
    assert again.runtime.published.episodes == first.episodes if first else False
    for tick in range(FIRST + 8, FIRST + 12):
        await again.hear(tick, drifted_from=FIRST + 5)
    assert len(small.receiver.seen) == 1


async def test_a_new_leader_exports_no_counter_before_it_has_loaded_the_state() -> None:
    small = world()
    process = await started(small)
    process.runtime.sync(report_of("a", [FIRST]))
    await process.runtime.checkpoint()
    again = Life(small)
    monitors = SimpleNamespace(runtimes={again.runtime.key: again.runtime}, mirrors=Mirrors(cast("Any", None)))
    backend = ControllerBackend(
        leads=lambda: True,
        monitors=lambda: cast("Monitors", monitors),
        clock=lambda: small.now,
        problems=tuple,
        book=AlertBook(),
        failures=dict,
    )
    assert backend.reading().monitors == ()
    await again.turn()
    assert len(backend.reading().monitors) == 1


async def test_nothing_is_acknowledged_before_it_is_stored() -> None:
    small = world()
    process = await started(small)
    small.now = (FIRST + 1) * TICK + 5
    before = process.runtime.sync(report_of("a", [FIRST]))
    assert before.acknowledged == ()
    await process.runtime.checkpoint()
    after = process.runtime.sync(report_of("a", [FIRST]))
    assert [item.tick for item in after.acknowledged] == [FIRST]


async def test_a_pod_of_another_workload_is_not_counted() -> None:
    small = world()
    process = await started(small)
    answer = process.runtime.sync(report_of("stranger", [FIRST]))
    assert "not among the pods" in answer.problem
    assert answer.document == b""


async def test_pods_of_the_release_before_get_no_setting_that_they_would_refuse() -> None:
    process = await started(world(), monitor_item(traffic={"interception": "move", "ports": [8080]}))
    answer = process.runtime.sync(report_of("a", [], generation=0, profile_hash=""))
    assert b"interception" not in answer.document
    assert b"8080" in answer.document


async def test_pods_get_document_and_profile_without_receivers() -> None:
    process = await started(world())
    answer = process.runtime.sync(report_of("a", [], generation=0, profile_hash=""))
    assert answer.profile_hash == process.small.profile.hash
    assert b"targetRef" in answer.document
    assert b"hooks.example" not in answer.document


async def test_a_pod_learns_by_the_profile_source_of_its_own_version() -> None:
    sources = [{"version": "6", "configMap": "delays-profile"}, {"version": "7", "learn": {"rows": 1000}}]
    process = await started(world(), monitor_item(profiles=sources))
    answer = process.runtime.sync(report_of("a", [], generation=0, profile_hash=""))
    here = parse_resource(answer.document, "document")
    source = source_for(here.spec.profiles, here.spec.model.version)
    assert answer.learn
    assert source is not None
    assert source.learn is not None
    assert source.learn.rows == 1000


async def test_an_invalid_document_leaves_the_one_before_in_force_also_for_the_next_leader() -> None:
    small = world()
    process = await started(small)
    broken = monitor_item(2, drift={"tick": "60 parsecs"})
    process.runtime.item = broken
    small.now += 10
    await process.turn()
    assert conditions(small)["Degraded"] == "True/DocumentInvalid"
    assert conditions(small)["Ready"] == "False/DocumentInvalid"
    again = await started(small, broken)
    assert again.runtime.core.document is not None
    assert again.runtime.core.document.generation == 1


@pytest.mark.parametrize("how", ["pause", "kill"])
async def test_a_stopped_monitor_measures_and_acts_when_it_is_released(how: str, tmp_path: Path) -> None:
    small, item = world(), monitor_item()
    switch = tmp_path / "stop"
    small.kill_switch = KillSwitch(switch)
    if how == "pause":
        item["metadata"]["annotations"] = {PAUSED: "true"}
    else:
        switch.write_text("true")
    process = await started(small, item)
    for tick in range(FIRST, FIRST + 8):
        await process.hear(tick, drifted_from=FIRST + 4)
    assert small.receiver.seen == []
    assert conditions(small)["Drifted"] == "True/DriftDetected"
    assert conditions(small)["Blocked"] == f"True/{'Paused' if how == 'pause' else 'KillSwitch'}"
    item["metadata"]["annotations"] = {}
    switch.unlink(missing_ok=True)
    await process.hear(FIRST + 8, drifted_from=FIRST + 4)
    assert len(small.receiver.seen) == 1


async def test_nothing_is_decided_without_leadership_or_contact() -> None:
    small = world()
    process = await started(small)
    small.contact = 1000.0
    for tick in range(FIRST, FIRST + 8):
        await process.hear(tick, drifted_from=FIRST + 4)
    small.contact, small.leading = 0.0, False
    await process.turn()
    assert small.receiver.seen == []
    small.leading = True
    await process.turn()
    assert len(small.receiver.seen) == 1


async def test_a_silent_fleet_is_shown_and_decides_nothing_on_old_facts() -> None:
    small = world()
    process = await started(small)
    for tick in range(FIRST, FIRST + 4):
        await process.hear(tick)
    small.now += 20 * TICK
    await process.turn()
    assert not any(reason in {"Blind", "PartlyBlind"} for reason, _ in small.events)
    small.now += 70
    await process.turn()
    assert conditions(small)["Ready"] == "False/QuorumMissing"
    assert any(reason in {"Blind", "PartlyBlind"} for reason, _ in small.events)


async def test_the_first_learned_profile_is_frozen_for_all_pods() -> None:
    small = world()
    process = await started(small, monitor_item(profiles=[{"version": "7", "learn": {"rows": 1000}}]))
    asked = process.runtime.sync(report_of("a", [], profile_hash=""))
    assert asked.learn
    assert conditions(small)["Learning"] == "True/Learning"
    assert conditions(small)["Degraded"] == "False/NoProblem"  # learning is no blind spot
    assert process.runtime.blind == ()
    assert process.runtime.view().heard == 1
    one, other = small.profile, small.profile
    await asyncio.gather(
        process.runtime.offer("uid-a", one.hash, one.to_bytes()), process.runtime.offer("uid-b", other.hash, b"{}")
    )
    answer = process.runtime.sync(report_of("b", [], profile_hash=""))
    assert (answer.profile_hash, answer.learn) == (one.hash, False)
    again = await started(small, monitor_item(profiles=[{"version": "7", "learn": {"rows": 1000}}]))
    assert again.runtime.sync(report_of("c", [], profile_hash="")).profile_hash == one.hash


async def test_a_version_that_no_profile_is_for_is_a_blind_spot() -> None:
    process = await started(world(), monitor_item(profiles=[{"version": "6", "configMap": "delays-profile"}]))
    (spot,) = process.runtime.blind
    assert (spot.reason, spot.text) == ("no_profile", "spec.profiles names no profile for the version '7' of the pods")


async def test_a_new_leader_writes_no_status_before_it_has_read_everything() -> None:
    small = world()
    process = await started(small)
    for tick in range(FIRST, FIRST + 8):
        await process.hear(tick, drifted_from=FIRST + 4)
    before, small.status = conditions(small), {}
    again = Life(small)
    seen = []
    for _ in range(5):
        small.now += 3
        await again.turn()
        seen += [conditions(small)] if small.status else []
    assert seen
    assert all(item["Drifted"] == before["Drifted"] and item["Ready"] == before["Ready"] for item in seen)
