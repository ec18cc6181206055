"""The channel refuses processes, folders and pages of other users, whatever the modes of its files allow."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pilotfish.sidecar.channel.page import CounterPage, PageError, read_page
from pilotfish.sidecar.channel.peers import secure_folder
from pilotfish.sidecar.channel.receiver import Receiver
from pilotfish.sidecar.channel.record import Hello
from pilotfish.sidecar.channel.sender import Sender
from pilotfish.sidecar.errors import UsageError
from tests.channel import stranger
from tests.support.users import NOBODY, needs_root


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def another_user(folder: Path, role: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """Run `stranger.py` as another user in `folder`, which is opened to all users first."""
    folder.chmod(0o777)
    command = [sys.executable, stranger.__file__, str(NOBODY), role, name]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def rest_of_output(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "records.sock")
    yield made
    made.close()


def test_folder_and_socket_are_closed_to_other_users(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    receiver = Receiver(folder / "records.sock")
    assert (mode(folder), mode(folder / "records.sock")) == (0o700, 0o600)
    receiver.close()


def test_a_folder_that_a_proxy_used_is_closed_to_other_users(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    CounterPage.open(folder / "page", now_ns=1).close()
    folder.chmod(0o755)
    CounterPage.open(folder / "page", now_ns=2).close()
    assert mode(folder) == 0o700


@pytest.mark.parametrize(("permissions", "content"), [(0o755, "other"), (0o1777, "page")], ids=["foreign", "sticky"])
def test_a_folder_with_other_uses_keeps_its_mode(tmp_path: Path, permissions: int, content: str) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / content).touch()
    folder.chmod(permissions)
    secure_folder(folder)
    assert mode(folder) == permissions


@needs_root
def test_another_user_cannot_feed_records(receiver: Receiver, tmp_path: Path) -> None:
    sender = Sender(tmp_path / "records.sock", 3)
    assert sender.connect(1)
    sender.flush()
    assert [frame for _ in range(2) for frame in receiver.receive(1.0)] == [Hello(3, 1)]
    (tmp_path / "records.sock").chmod(0o666)
    with another_user(tmp_path, "feeds", "records.sock") as process:
        while not receiver.rejected:
            assert list(receiver.receive(1.0)) == []
        assert rest_of_output(process) == "b''\n"
    assert receiver.connected, "the refused connection replaced the proxy's"
    assert f"the peer's user is {NOBODY}" in receiver.problem
    assert receiver.rejected == {"user": 1}
    sender.disconnect()


@needs_root
def test_another_user_cannot_read_records(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(tmp_path / "records.sock", 3)
    with another_user(tmp_path, "reads", "records.sock") as process, caplog.at_level(logging.ERROR):
        assert [sender.connect(1) for _ in range(3)] == [False] * 3
        assert not sender.connected
        assert rest_of_output(process) == "b''\n"
    assert [f"the peer's user is {NOBODY}" in line for line in caplog.messages] == [True], "one line, not one per try"


@needs_root
def test_a_folder_of_another_user_is_refused_by_both_sides(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(UsageError, match=f"belongs to user {NOBODY}"):
        Receiver(folder / "records.sock")
    with pytest.raises(UsageError, match=f"belongs to user {NOBODY}"):
        CounterPage.open(folder / "page", now_ns=1)


@needs_root
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "shared"
    link.symlink_to(tmp_path / "real")
    secure_folder(link)
    os.lchown(link, NOBODY, NOBODY)
    with pytest.raises(UsageError):
        secure_folder(link)


@needs_root
def test_a_page_of_another_user_is_neither_read_nor_written(tmp_path: Path) -> None:
    path = tmp_path / "page"
    CounterPage.open(path, now_ns=1).close()
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(PageError, match=f"belongs to user {NOBODY}"):
        read_page(path)
    with pytest.raises(UsageError):
        CounterPage.open(path, now_ns=2)
