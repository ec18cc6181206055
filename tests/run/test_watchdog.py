"""A child that gives no sign of life is killed. A busy child, a paused machine and a debugged child are left alone."""

from __future__ import annotations

import os
import re
import signal
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.channel.layout import AT_HEARTBEAT
from pilotfish.sidecar.run.restart_policy import ANALYZER, PROXY
from pilotfish.sidecar.run.vital_signs import PageHeartbeat, is_traced
from pilotfish.sidecar.run.watchdog import SilenceLimits, Watchdog
from pilotfish.sidecar.system.heartbeat import HeartbeatPipe, beat
from tests.run.test_supervisor import SLEEP, SUPERVISED, SupervisedChildren
from tests.support.processes import Child, Children, is_running, stop
from tests.support.waiting import patient, wait_until

LIMITS = SilenceLimits(running=20.0, start=60.0, check=5.0)
BEATS = "SAY; while :; do echo . >&3; sleep 0.05; done"
SILENCE = 1.0


def checks_until_killed(watchdog: Watchdog, *, beaten: bool = False, traced: bool = False, most: int = 100) -> int:
    found = (count for count in range(1, most) if watchdog.hangs(5.0 * count, beaten=beaten, traced=traced))
    return next(found, 0)


def test_a_child_hangs_after_its_limit_of_silent_checks() -> None:
    watchdog = Watchdog(LIMITS)
    watchdog.start(0.0)
    assert checks_until_killed(watchdog) == 12  # 60 s before the first sign of life
    watchdog.start(0.0)
    assert not watchdog.hangs(5.0, beaten=True, traced=False)
    assert checks_until_killed(watchdog) == 4


def test_a_child_that_beats_or_is_debugged_never_hangs() -> None:
    watchdog = Watchdog(LIMITS)
    watchdog.start(0.0)
    assert checks_until_killed(watchdog, beaten=True) == 0
    assert checks_until_killed(watchdog, traced=True) == 0


def test_without_a_limit_for_the_start_only_a_child_that_has_beaten_can_hang() -> None:
    watchdog = Watchdog(SilenceLimits(running=20.0, start=None, check=5.0))
    watchdog.start(0.0)
    assert checks_until_killed(watchdog) == 0
    watchdog.hangs(0.0, beaten=True, traced=False)
    assert checks_until_killed(watchdog) == 4


@given(st.lists(st.floats(5.0, 1e6), min_size=1, max_size=3))
def test_a_pause_of_the_whole_machine_counts_as_one_check(pauses: list[float]) -> None:
    watchdog, now = Watchdog(LIMITS), 0.0
    watchdog.start(now)
    watchdog.hangs(now, beaten=True, traced=False)
    for pause in pauses:
        now += pause
        assert not watchdog.hangs(now, beaten=False, traced=False)


def test_a_pipe_reports_each_sign_of_life_once_and_never_blocks_the_writer() -> None:
    pipe = HeartbeatPipe()
    assert not pipe.beaten()
    for _ in range(100_000):
        beat(pipe.descriptor)
    assert pipe.beaten()
    assert not pipe.beaten()
    beat(10**6)  # not open


def test_the_page_of_the_proxy_is_a_sign_of_life_when_its_heartbeat_changes(tmp_path: Path) -> None:
    page = tmp_path / "page"
    heartbeat = PageHeartbeat(page)
    assert heartbeat.beaten()  # unknown
    found = []
    for value in (1, 1, 2, 2):
        page.write_bytes(bytes(8 * AT_HEARTBEAT) + struct.pack("<Q", value))
        found.append(heartbeat.beaten())
    assert found == [False, False, True, False]
    page.unlink()
    assert heartbeat.beaten()


def test_a_running_process_is_not_traced() -> None:
    assert not is_traced(os.getpid())
    assert not is_traced(2**30)


class WatchedChildren(SupervisedChildren):
    """A supervisor with watchdogs of SILENCE seconds."""

    def start(self, spawn: Children, folder: Path, scripts: list[str]) -> Child:
        return spawn(sys.executable, SUPERVISED, *scripts, folder / "page", str(patient(SILENCE)))


@pytest.mark.long
@pytest.mark.parametrize("hang", ["stopped", "silent"])
def test_an_analyzer_that_hangs_is_killed_and_started_again(spawn: Children, tmp_path: Path, hang: str) -> None:
    script = BEATS if hang == "stopped" else f"echo . >&3; {SLEEP}"
    children = WatchedChildren(spawn, tmp_path, SLEEP, script)
    first = children.pid(ANALYZER)
    if hang == "stopped":
        stop(first)
    children.pid(ANALYZER, 1)
    assert not is_running(first)
    assert is_running(children.pid(PROXY))
    errors = children.supervisor.errors()
    silence = re.search(r"the analyzer process gave no sign of life for (\S+) s; killing it", errors)
    assert silence
    assert float(silence[1]) >= patient(SILENCE)
    assert "the analyzer process hung and was killed after" in errors
    children.supervisor.process.terminate()
    children.wait()


@pytest.mark.long
def test_a_busy_analyzer_that_beats_is_left_alone(spawn: Children, tmp_path: Path) -> None:
    beats = 60  # of 0.05 s, which is three times the limit
    script = f"SAY; i=0; while [ $i -lt {beats} ]; do echo . >&3; sleep {patient(0.05)}; i=$((i+1)); done; exit 3"
    children = WatchedChildren(spawn, tmp_path, SLEEP, script)
    children.pid(ANALYZER, 1)
    assert "the analyzer process ended with status 3" in children.supervisor.errors()
    children.supervisor.process.terminate()
    children.wait()


@pytest.mark.long
def test_a_proxy_that_hangs_is_killed_and_the_supervisor_ends(spawn: Children, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(bytes(8 * AT_HEARTBEAT) + struct.pack("<Q", 1))
    children = WatchedChildren(spawn, tmp_path, SLEEP, BEATS)
    children.pid(PROXY)
    values = iter(range(2, 100))

    def write_all() -> bool:
        value = next(values, 0)
        if value:
            page.write_bytes(bytes(8 * AT_HEARTBEAT) + struct.pack("<Q", value))
        return not value

    wait_until(write_all, what="a heartbeat")
    assert children.wait() == 128 + signal.SIGKILL
    assert "the proxy gave no sign of life" in children.supervisor.errors()
