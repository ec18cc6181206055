"""The supervisor with real children: signals, restarts, exit statuses, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import Child, Children, is_running, stop
from tests.support.waiting import patient, wait_until

SUPERVISED = Path(__file__).with_name("supervised.py")
FOREVER = "while :; do sleep 0.01; done"


class SupervisedChildren:
    """A supervisor whose children write their pids, one per line, into files: at the word SAY, else at once."""

    def __init__(self, spawn: Children, folder: Path, proxy: str, analyzer: str) -> None:
        self.files = {name: folder / name for name in ("proxy", "analyzer")}
        for file in self.files.values():
            file.touch()
        scripts = [
            (script if "SAY" in script else f"SAY; {script}").replace("SAY", f"echo $$ >> {self.files[name]}")
            for name, script in (("proxy", proxy), ("analyzer", analyzer))
        ]
        self.supervisor = self.start(spawn, folder, scripts)

    def start(self, spawn: Children, folder: Path, scripts: list[str]) -> Child:
        return spawn(sys.executable, SUPERVISED, *scripts)

    def pids(self, name: str) -> list[int]:
        return [int(line) for line in self.files[name].read_text().split()]

    def pid(self, name: str, nth: int = 0) -> int:
        return wait_until(lambda: (self.pids(name) + [0] * 99)[nth], what=f"start {nth} of the {name}")

    def wait(self) -> int:
        return self.supervisor.process.wait(timeout=patient(20))


SLEEP = "sleep 60 & trap 'kill $!' TERM; SAY; wait $!"


@pytest.mark.parametrize("status", [0, 7])
def test_it_ends_with_the_proxys_status_and_stops_the_analyzer_first(
    spawn: Children, tmp_path: Path, status: int
) -> None:
    ready, stopped = tmp_path / "ready", tmp_path / "stopped"
    children = SupervisedChildren(
        spawn,
        tmp_path,
        f"until [ -e {ready} ]; do sleep 0.01; done; exit {status}",
        f"trap 'echo bye > {stopped}; exit 0' USR1; touch {ready}; {FOREVER}",
    )
    assert children.wait() == status
    assert stopped.read_text() == "bye\n"


@pytest.mark.long
def test_a_killed_analyzer_is_restarted_and_the_proxy_stays(spawn: Children, tmp_path: Path) -> None:
    children = SupervisedChildren(spawn, tmp_path, SLEEP, SLEEP)
    proxy = children.pid("proxy")
    for nth in range(3):
        os.kill(children.pid("analyzer", nth), signal.SIGKILL)
    children.pid("analyzer", 3)
    assert is_running(proxy)
    assert children.pids("proxy") == [proxy]
    assert "the analyzer process was killed by SIGKILL" in children.supervisor.errors()
    children.supervisor.process.terminate()
    children.wait()


@pytest.mark.parametrize(
    ("number", "seen"), [(signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGHUP, "TERM")]
)
def test_signals_reach_the_proxy(spawn: Children, tmp_path: Path, number: int, seen: str) -> None:
    got, ready = tmp_path / "got", tmp_path / "ready"
    traps = "; ".join(f"trap 'echo {name} > {got}; exit 5' {name}" for name in ("TERM", "INT"))
    children = SupervisedChildren(spawn, tmp_path, f"{traps}; touch {ready}; {FOREVER}", SLEEP)
    wait_until(ready.exists)
    children.supervisor.process.send_signal(number)
    assert children.wait() == 5
    assert got.read_text() == f"{seen}\n"


def test_no_orphan_remains_when_the_supervisor_is_killed(spawn: Children, tmp_path: Path) -> None:
    drained = tmp_path / "drained"
    children = SupervisedChildren(
        spawn, tmp_path, f"trap 'touch {drained}; exit 0' USR2; SAY; {FOREVER}", f"trap '' TERM USR2; SAY; {FOREVER}"
    )
    proxy, analyzer = children.pid("proxy"), children.pid("analyzer")
    children.supervisor.process.kill()
    wait_until(lambda: not is_running(proxy) and not is_running(analyzer), what="the end of both children")
    assert drained.exists()


@pytest.mark.long
def test_a_stopped_analyzer_does_not_delay_the_end(spawn: Children, tmp_path: Path) -> None:
    children = SupervisedChildren(spawn, tmp_path, "sleep 60 & trap 'kill $!; exit 0' TERM; SAY; wait $!", SLEEP)
    stop(children.pid("analyzer"))
    os.kill(children.pid("proxy"), signal.SIGTERM)
    assert children.wait() == 0
    assert "did not stop within 5 s; killing it" in children.supervisor.errors()


def test_an_analyzer_ignores_a_signal_to_the_whole_group_and_is_stopped_after_the_proxy(
    spawn: Children, tmp_path: Path
) -> None:
    order, go = tmp_path / "order", tmp_path / "go"
    children = SupervisedChildren(
        spawn,
        tmp_path,
        f"trap 'until [ -e {go} ]; do sleep 0.01; done; echo proxy >> {order}; exit 0' TERM; SAY; {FOREVER}",
        f"trap 'echo analyzer >> {order}; exit 0' USR1; SAY; {FOREVER}",
    )
    pids = [children.pid("proxy"), children.pid("analyzer"), children.supervisor.pid]
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(pids[1], number)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert is_running(pids[1])
    go.touch()
    assert children.wait() == 0
    assert order.read_text().split() == ["proxy", "analyzer"]
    assert children.pids("analyzer") == [pids[1]]


def test_the_first_refusal_of_the_options_ends_everything_with_status_2(spawn: Children, tmp_path: Path) -> None:
    children = SupervisedChildren(spawn, tmp_path, f"trap 'exit 0' TERM; SAY; {FOREVER}", "SAY; exit 2")
    assert children.wait() == 2
    assert len(children.pids("analyzer")) == 1
    assert "cannot start with these options" in children.supervisor.errors()


def test_a_missing_program_is_logged_and_tried_again(spawn: Children, tmp_path: Path) -> None:
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


WAITING = """
import signal
from pilotfish.sidecar.run.supervisor import next_signal
awaited = {signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
print("waiting", flush=True)
for _ in range(5):
    print(signal.Signals(next_signal(awaited, 0.05)).name, flush=True)
print(signal.Signals(next_signal(awaited, 60.0)).name, flush=True)
"""


def test_a_stop_beyond_the_next_check_is_no_signal_to_forward(spawn: Children) -> None:
    child = spawn(sys.executable, "-c", WAITING)
    wait_until(lambda: "waiting" in child.stdout.read_text(), what="the start")
    stop(child.pid)
    with pytest.raises(subprocess.TimeoutExpired):
        child.process.wait(timeout=patient(0.3))  # the length of the stop is the subject
    os.kill(child.pid, signal.SIGCONT)
    wait_until(lambda: child.stdout.read_text().count("SIGALRM") == 5, what="the checks")
    os.kill(child.pid, signal.SIGTERM)
    assert child.process.wait(timeout=patient(10)) == 0
    assert child.stdout.read_text().split() == ["waiting", *["SIGALRM"] * 5, "SIGTERM"]
