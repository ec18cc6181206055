"""The containers of a pod: one whose processes are hidden is reported, and one that ended is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pilotfish.sidecar.node.cgroup_tree import CgroupTree
from pilotfish.sidecar.node.containers import ContainerReader
from pilotfish.sidecar.resources.kernel_files import kernel_text
from tests.node.machines import SANDBOX, UID, FakeNode, container_id

MODEL = container_id(1)


@pytest.fixture
def machine(tmp_path: Path) -> FakeNode:
    found = FakeNode(tmp_path / "node")
    found.add(UID, "", SANDBOX, (40,))
    found.add(UID, "model", MODEL, (41, 42))
    return found


def names(reader: ContainerReader, machine: FakeNode) -> list[str]:
    tree = CgroupTree(machine.cgroups)
    tree.walk()
    return [one.name for one in reader.read(tree.containers(UID))]


def test_containers_have_their_names_and_the_sandbox_is_left_out(machine: FakeNode) -> None:
    reader = ContainerReader(machine.proc)
    assert names(reader, machine) == ["model"]
    assert reader.hidden == ""


def test_hidden_processes_are_reported_once_until_they_are_seen(
    machine: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    for pid in (41, 42):  # as hidepid does: the cgroup has them, /proc has not
        (machine.proc / str(pid) / "mountinfo").rename(machine.proc / f"{pid}.mountinfo")
    reader = ContainerReader(machine.proc)
    assert [names(reader, machine) for _ in range(3)] == [[], [], []]
    assert reader.hidden == "No such file or directory"
    assert [record.getMessage() for record in caplog.records] == [
        "the mounts of processes 41, 42 cannot be read: No such file or directory"
    ]
    (machine.proc / "42.mountinfo").rename(machine.proc / "42" / "mountinfo")
    assert names(reader, machine) == ["model"]
    assert reader.hidden == ""


def test_a_hidden_container_that_ended_is_no_problem(machine: FakeNode) -> None:
    for pid in (41, 42):
        (machine.proc / str(pid) / "mountinfo").unlink()
    reader = ContainerReader(machine.proc)
    assert names(reader, machine) == []
    assert reader.hidden
    machine.end(MODEL)
    assert reader.hidden == ""


def test_processes_that_end_while_they_are_read_are_not_hidden(
    machine: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(path: Path) -> str:
        if path.name != "mountinfo":
            return kernel_text(path)
        for container in (SANDBOX, MODEL):
            if (machine.cgroups / machine.written[container]).exists():
                machine.end(container)
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    monkeypatch.setattr("pilotfish.sidecar.node.containers.kernel_text", end)
    reader = ContainerReader(machine.proc)
    assert names(reader, machine) == []
    assert reader.hidden == ""
