"""The readers against the kernel: known CPU time and memory, cgroups of version 1 and 2, throttling, kills for memory.

Needs root, to make cgroups. Only CPU time and memory are compared, so other load has no influence.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pilotfish.sidecar.resources.groups import Group, find_group, read_mounts, sample_group
from pilotfish.sidecar.resources.processes import list_processes
from pilotfish.sidecar.resources.usage import UsageSample
from tests.support.waiting import patient

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="not root: it cannot make cgroups"),
]

SECOND, MIB = 10**9, 1 << 20
LOAD = """
import os, sys, time
print("ready", flush=True)
sys.stdin.readline()
before = time.process_time()
held = bytearray(os.urandom(1 << 20) * int(sys.argv[2]))
children = []
for _ in range(int(sys.argv[3])):
    pid = os.fork()
    if pid == 0:
        end = time.process_time() + float(sys.argv[1])
        while time.process_time() < end:
            pass
        print(time.process_time(), flush=True)
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
while time.process_time() < before + float(sys.argv[1]):
    pass
print(time.process_time() - before, flush=True)
print("done", flush=True)
sys.stdin.read()
"""


@contextmanager
def load(folders: list[Path], seconds: float, mebibytes: int, children: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in new cgroups; Python has started, and the load starts when a line is sent."""
    command = [sys.executable, "-c", LOAD, str(seconds), str(mebibytes), str(children)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            for folder in folders:
                (folder / "cgroup.procs").write_text(f"{child.pid}\n")
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            yield child
        finally:
            child.kill()
            child.wait()
            for folder in folders:
                with suppress(OSError):
                    folder.rmdir()


def run(child: subprocess.Popen[bytes], group: Group) -> tuple[UsageSample, UsageSample, float]:
    """Return the samples before and after the load, and the CPU seconds that its processes counted themselves."""
    assert child.stdin is not None
    assert child.stdout is not None
    before = sample_group(group, time.monotonic_ns())
    child.stdin.write(b"\n")
    child.stdin.flush()
    used = 0.0
    while (line := child.stdout.readline()) != b"done\n":
        used += float(line)
    after = sample_group(group, time.monotonic_ns())
    assert before is not None
    assert after is not None
    return before, after, used


def group_of(child: subprocess.Popen[bytes]) -> Group:
    group = find_group([child.pid], list_processes(), read_mounts())
    assert group is not None
    return group


def new_cgroup(controller: str, name: str) -> Path:
    """Return a new cgroup of version 1; skip without the controller."""
    parent = Path("/sys/fs/cgroup") / controller
    if not (parent / "cgroup.procs").exists():
        pytest.skip(f"no cgroup v1 controller {controller} at {parent}")
    folder = parent / name
    folder.mkdir()
    return folder


@pytest.mark.parametrize("children", [0, 3])
def test_processes_are_measured_within_5_per_cent(children: int) -> None:
    with load([], 1.0, 200, children) as child:
        before, after, used = run(child, group_of(child))
    assert before.method == "processes"
    assert (after.cpu_ns or 0) - (before.cpu_ns or 0) == pytest.approx(used * SECOND, rel=0.05)
    assert (after.memory or 0) - (before.memory or 0) == pytest.approx(200 * MIB, rel=0.05)


def test_cgroups_of_version_1_are_measured_within_5_per_cent() -> None:
    name = f"pilotfish-{os.getpid()}"
    folders = [new_cgroup(controller, name) for controller in ("cpu", "cpuacct", "memory")]
    (folders[2] / "memory.limit_in_bytes").write_text(str(512 * MIB))
    with load(folders, 1.0, 200, 2) as child:
        before, after, used = run(child, group_of(child))
    assert (before.method, after.memory_limit, after.oom_kills) == ("cgroup v1", 512 * MIB, 0)
    assert (after.cpu_ns or 0) - (before.cpu_ns or 0) == pytest.approx(used * SECOND, rel=0.05)
    assert (after.memory or 0) - (before.memory or 0) == pytest.approx(200 * MIB, rel=0.05)


def test_throttling_of_version_1_is_measured() -> None:
    name = f"pilotfish-{os.getpid()}"
    folders = [new_cgroup(controller, name) for controller in ("cpu", "cpuacct")]
    (folders[0] / "cpu.cfs_quota_us").write_text("2000")  # a fiftieth of a core
    begun = time.monotonic()
    with load(folders, 0.05, 1, 0) as child:
        before, after, _ = run(child, group_of(child))
    throttled = ((after.throttled_ns or 0) - (before.throttled_ns or 0)) / SECOND
    assert 0.05 < throttled < time.monotonic() - begun  # one process waits no longer than the test takes


def test_a_process_that_is_killed_for_memory_is_counted() -> None:
    folder = new_cgroup("memory", f"pilotfish-{os.getpid()}")
    cpu = new_cgroup("cpuacct", f"pilotfish-{os.getpid()}")
    (folder / "memory.limit_in_bytes").write_text(str(64 * MIB))
    with load([folder, cpu], 0.1, 1, 0) as child:
        group = group_of(child)
        victim = f"echo $$ > {folder}/cgroup.procs; exec {sys.executable} -c 'x = bytearray(256 << 20)'"
        subprocess.run(["sh", "-c", victim], check=False, capture_output=True, timeout=patient(30))
        found = sample_group(group, time.monotonic_ns())
    assert found is not None
    assert found.oom_kills == 1


@contextmanager
def mounted_v2() -> Iterator[Path]:
    """Mount the hierarchy of version 2, which has no controllers where version 1 has them."""
    with tempfile.TemporaryDirectory() as name:
        if subprocess.run(["mount", "-t", "cgroup2", "none", name], check=False, capture_output=True).returncode:
            pytest.skip("cgroup2 cannot be mounted")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def test_the_cpu_time_of_version_2_is_measured_within_5_per_cent() -> None:
    with mounted_v2() as top:
        folder = top / f"pilotfish-{os.getpid()}"
        folder.mkdir()
        with load([folder], 1.0, 200, 2) as child:
            mounts = [mount for mount in read_mounts() if mount.version == 2 and mount.point == top]
            group = find_group([child.pid], list_processes(), mounts)
            assert group is not None
            before, after, used = run(child, group)
    assert (before.method, group.cgroup.v2) == ("cgroup v2", folder)
    assert (after.cpu_ns or 0) - (before.cpu_ns or 0) == pytest.approx(used * SECOND, rel=0.05)
    assert (after.memory or 0) - (before.memory or 0) == pytest.approx(200 * MIB, rel=0.05)
    assert "cpu" in after.pressure_ns
