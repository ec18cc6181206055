"""Cgroups of version 1, version 2 and both: recorded trees, namespaces, missing controllers, damaged files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.resources import cgroups
from pilotfish.sidecar.resources.cgroups import Cgroup, exclusive, locate, parse_memberships, parse_mounts, read_cgroup

V1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 ROOT /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 ROOT /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 ROOT /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
"""
V2 = "30 23 0:26 ROOT /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
HYBRID = V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"

CASES = {
    # mountinfo, /proc/PID/cgroup, folders
    "v2 on a machine": (V2.replace("ROOT", "/"), "0::/user.slice/a.scope\n", {"": "/sys/fs/cgroup/user.slice/a.scope"}),
    "v2 in a container with a namespace": (V2.replace("ROOT", "/"), "0::/\n", {"": "/sys/fs/cgroup"}),
    "v2 in a container without one": (
        V2.replace("ROOT", "/kubepods/pod1/c1"),
        "0::/kubepods/pod1/c1/worker\n",
        {"": "/sys/fs/cgroup/worker"},
    ),
    "v2, process of another container": (V2.replace("ROOT", "/"), "0::/../c2\n", {}),
    "v2, outside of the mounted part": (V2.replace("ROOT", "/kubepods/pod1/c1"), "0::/kubepods/pod1/c2\n", {}),
    "v1 in a container without a namespace": (
        V1.replace("ROOT", "/docker/c1"),
        "12:memory:/docker/c1\n4:cpu,cpuacct:/docker/c1\n1:name=systemd:/docker/c1\n",
        {
            "cpu": "/sys/fs/cgroup/cpu,cpuacct",
            "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
            "memory": "/sys/fs/cgroup/memory",
            "name=systemd": "/sys/fs/cgroup/systemd",
        },
    ),
    "hybrid": (
        HYBRID.replace("ROOT", "/"),
        "4:cpu,cpuacct:/a\n0::/b\n",
        {
            "cpu": "/sys/fs/cgroup/cpu,cpuacct/a",
            "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/a",
            "": "/sys/fs/cgroup/unified/b",
        },
    ),
    "a path with a colon and a space": (
        V2.replace("ROOT", "/").replace("/sys/fs/cgroup", "/mnt/a\\040b"),
        "0::/x:y z\n",
        {"": "/mnt/a b/x:y z"},
    ),
    "nothing mounted": ("", "0::/\n", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_folders_of_a_process_are_found(name: str) -> None:
    mounts, membership, folders = CASES[name]
    found = locate(parse_memberships(membership), parse_mounts(mounts))
    shown = {key: str(path) for key, path in {**found.v1, "": found.v2}.items() if path is not None}
    assert shown == folders


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


def v2_tree(folder: Path) -> Cgroup:
    """The files of a container of 512 MiB inside a pod of 256 MiB, as Linux 6.1 writes them."""
    pod = write(folder / "pod", memory__max="268435456\n")
    own = write(
        pod / "c1",
        cpu__stat="usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 50\nnr_throttled 7\n"
        "throttled_usec 350000\nnr_bursts 0\nburst_usec 0\n",
        cpu__pressure="some avg10=0.00 avg60=1.25 avg300=0.40 total=812345\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        memory__current="104857600\n",
        memory__stat="anon 41943040\nfile 62914560\ninactive_file 52428800\nactive_file 10485760\n",
        memory__max="536870912\n",
        memory__events="low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n",
        cgroup__procs="10\n11\n",
    )
    write(own / "child", cgroup__procs="12\n")
    return Cgroup(own, {}, {own: folder})


def test_version_2_is_read_with_the_smallest_limit_of_its_parents(tmp_path: Path) -> None:
    found = read_cgroup(v2_tree(tmp_path))
    assert found is not None
    assert (found.version, found.cpu_ns, found.throttled_ns) == (2, 2_500_000_000, 350_000_000)
    assert found.pressure_ns == {"cpu": 812_345_000}
    assert (found.memory, found.memory_limit, found.oom_kills) == (52_428_800, 268_435_456, 1)


def test_version_2_without_controllers_has_cpu_time_only(tmp_path: Path) -> None:
    own = write(tmp_path, cpu__stat="usage_usec 5\nuser_usec 5\nsystem_usec 0\n")
    found = read_cgroup(Cgroup(own, {}, {own: own}))
    assert found is not None
    assert (found.cpu_ns, found.throttled_ns, found.memory, found.memory_limit, found.oom_kills) == (5000, *[None] * 4)


def test_version_1_is_read(tmp_path: Path) -> None:
    stat = "nr_periods 9\nnr_throttled 2\nthrottled_time 77\n"
    cpu = write(tmp_path / "cpu", cpuacct__usage="123456789\n", cpu__stat=stat)
    memory = write(
        tmp_path / "memory",
        memory__usage_in_bytes="1000\n",
        memory__limit_in_bytes="9223372036854771712\n",
        memory__stat="cache 1\ninactive_file 9\nhierarchical_memory_limit 5000\ntotal_inactive_file 400\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
    )
    found = read_cgroup(Cgroup(None, {"cpu": cpu, "cpuacct": cpu, "memory": memory}, {}))
    assert found is not None
    assert (found.version, found.cpu_ns, found.throttled_ns) == (1, 123_456_789, 77)
    assert (found.memory, found.memory_limit, found.oom_kills) == (600, 5000, 4)


def test_a_cgroup_that_is_gone_has_no_values(tmp_path: Path) -> None:
    assert read_cgroup(Cgroup(tmp_path / "gone", {}, {})) is None
    assert read_cgroup(Cgroup(None, {}, {})) is None
    assert read_cgroup(Cgroup(None, {"cpuacct": tmp_path / "gone"}, {})) is None


def test_a_cgroup_counts_only_if_all_its_processes_belong_to_the_model(tmp_path: Path) -> None:
    group = v2_tree(tmp_path)
    assert exclusive(group, {10, 11, 12}).v2 == group.v2
    assert exclusive(group, {10, 11}).v2 is None


LINES = [*V1.splitlines(), *V2.splitlines(), "0::/a", "4:cpu:/x", " - ", "\0", "ü"]
noise = st.lists(st.sampled_from(LINES)).map("\n".join)


@given(st.one_of(st.text(), noise), st.one_of(st.text(), noise))
def test_no_text_stops_the_parsers(membership: str, mounts: str) -> None:
    found = locate(parse_memberships(membership), parse_mounts(mounts))
    assert all(isinstance(path, Path) for path in found.v1.values())
    for controllers, path in parse_memberships(membership):
        assert isinstance(path, PurePosixPath)
        assert "" not in controllers


@pytest.mark.parametrize("text", ["\n", " \n", "full total=1\n\n"])
def test_a_pressure_file_with_an_empty_line_has_no_total(text: str) -> None:
    assert cgroups.parse_pressure(text) is None


@given(st.text())
def test_no_text_stops_the_parsers_of_values(text: str) -> None:
    assert all(value >= 0 for value in cgroups.parse_table(text).values())
    pressure = cgroups.parse_pressure(text)
    assert pressure is None or pressure >= 0
