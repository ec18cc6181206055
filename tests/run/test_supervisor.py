"""The supervisor with real children: what they get, what they survive, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import Child, Children
from tests.support.waiting import patient, wait_until

SUPERVISED = Path(__file__).with_name("supervised.py")
FOREVER = "while :; do sleep 0.01; done"


def lives(pid: int) -> bool:
    """Tell whether `pid` runs (a zombie that nobody reaps any more does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Family:
    """A supervisor whose children write their pids, one a line, into files: where SAY stands, else at once."""

    def __init__(self, spawn: Children, folder: Path, proxy: str, member: str) -> None:
        self.files = {name: folder / name for name in ("proxy", "analyzer")}
        for file in self.files.values():
            file.touch()
        scripts = [
            (script if "SAY" in script else f"SAY; {script}").replace("SAY", f"echo $$ >> {self.files[name]}")
            for name, script in (("proxy", proxy), ("analyzer", member))
        ]
        self.supervisor: Child = spawn(sys.executable, SUPERVISED, *scripts)

    def pids(self, name: str) -> list[int]:
        return [int(line) for line in self.files[name].read_text().split()]

    def pid(self, name: str, nth: int = 0) -> int:
        return wait_until(lambda: (self.pids(name) + [0] * 99)[nth], what=f"start {nth} of the {name}")

    def wait(self) -> int:
        return self.supervisor.process.wait(timeout=patient(20))


SLEEP = "sleep 60 & trap 'kill $!' TERM; SAY; wait $!"


@pytest.mark.parametrize("status", [0, 7])
def test_it_ends_with_the_proxys_status_and_stops_the_member_first(
    spawn: Children, tmp_path: Path, status: int
) -> None:
    ready, stopped = tmp_path / "ready", tmp_path / "stopped"
    family = Family(
        spawn,
        tmp_path,
        f"until [ -e {ready} ]; do sleep 0.01; done; exit {status}",
        f"trap 'echo bye > {stopped}; exit 0' TERM; touch {ready}; {FOREVER}",
    )
    assert family.wait() == status
    assert stopped.read_text() == "bye\n"


def test_a_killed_member_comes_back_and_the_proxy_stays(spawn: Children, tmp_path: Path) -> None:
    family = Family(spawn, tmp_path, SLEEP, SLEEP)
    proxy = family.pid("proxy")
    for nth in range(3):
        os.kill(family.pid("analyzer", nth), signal.SIGKILL)
    family.pid("analyzer", 3)
    assert lives(proxy)
    assert family.pids("proxy") == [proxy]
    assert "the analyzer process was killed by SIGKILL" in family.supervisor.errors()
    family.supervisor.process.terminate()
    family.wait()


@pytest.mark.parametrize(
    ("number", "seen"), [(signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGHUP, "TERM")]
)
def test_signals_reach_the_proxy(spawn: Children, tmp_path: Path, number: int, seen: str) -> None:
    got, ready = tmp_path / "got", tmp_path / "ready"
    traps = "; ".join(f"trap 'echo {name} > {got}; exit 5' {name}" for name in ("TERM", "INT"))
    family = Family(spawn, tmp_path, f"{traps}; touch {ready}; {FOREVER}", SLEEP)
    wait_until(ready.exists)
    family.supervisor.process.send_signal(number)
    assert family.wait() == 5
    assert got.read_text() == f"{seen}\n"


def test_no_orphan_stays_when_the_supervisor_is_killed(spawn: Children, tmp_path: Path) -> None:
    drained = tmp_path / "drained"
    family = Family(
        spawn, tmp_path, f"trap 'touch {drained}; exit 0' TERM; SAY; {FOREVER}", f"trap '' TERM; SAY; {FOREVER}"
    )
    proxy, member = family.pid("proxy"), family.pid("analyzer")
    family.supervisor.process.kill()
    wait_until(lambda: not lives(proxy) and not lives(member), what="the end of both children")
    assert drained.exists()


def test_a_stopped_member_cannot_hold_up_the_end(spawn: Children, tmp_path: Path) -> None:
    family = Family(spawn, tmp_path, "sleep 60 & trap 'kill $!; exit 0' TERM; SAY; wait $!", SLEEP)
    os.kill(family.pid("analyzer"), signal.SIGSTOP)
    os.kill(family.pid("proxy"), signal.SIGTERM)
    assert family.wait() == 0
    assert "did not stop within 5 s: killed" in family.supervisor.errors()


def test_a_program_that_is_not_there_is_said_and_tried_again(spawn: Children, tmp_path: Path) -> None:
    code = (
        "from pilotfish.sidecar.run.supervisor import supervise;"
        "supervise('run', {'proxy': ['/bin/sleep', '1'], 'analyzer': ['/nowhere/at/all']})"
    )
    child = spawn(sys.executable, "-c", code)
    assert child.process.wait(timeout=patient(20)) == 0
    assert child.errors().count("cannot start /nowhere/at/all: No such file or directory") >= 2


def test_the_supervisor_needs_the_standard_library_only() -> None:
    code = (
        "import sys, pilotfish.sidecar.run.app, pilotfish.sidecar.run.analyze;"
        "print(*sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"aiohttp", "msgspec", "numpy", "prometheus_client", "yaml"} & set(found)
    assert "pilotfish" in found


def test_the_supervisor_does_not_import_asyncio() -> None:
    code = "import sys, pilotfish.sidecar.run.app; print('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
