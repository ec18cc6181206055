"""Atomic replacement of files: a reader finds the old or the new content, and no temporary file stays."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pilotfish.sidecar.errors import quote_value
from pilotfish.sidecar.system import files
from pilotfish.sidecar.system.files import (
    is_unusable,
    read_file,
    remove_staged,
    replace_file,
    set_aside,
    staged,
    staged_path,
    sync_path,
    write_all,
)
from tests.support.limits import largest_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_no_temporary_file_stays(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"", b"new" * 100_000):
        replace_file(path, content, durable=durable)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_durable_syncs_the_content_before_the_name_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "file", list[tuple[str, bool]]()
    monkeypatch.setattr(files, "sync_path", lambda synced: seen.append((synced.name, path.exists())))
    replace_file(path, b"x", durable=True)
    assert seen == [("file.new", False), (tmp_path.name, True)]


@pytest.mark.parametrize(("mode", "found"), [(0o600, 0o600), (0o640, 0o640), (None, 0o666)])
def test_permissions_are_set_even_on_a_file_that_a_crash_left(tmp_path: Path, mode: int | None, found: int) -> None:
    path = tmp_path / "file"
    before = os.umask(0)
    try:
        staged_path(path).write_bytes(b"half of an earlier attempt")
        replace_file(path, b"x", mode=mode)
    finally:
        os.umask(before)
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (found, b"x")


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    with largest_file(10), pytest.raises(OSError, match="too large"):
        replace_file(path, b"n" * 1000, durable=True)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_an_error_in_the_block_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def fail() -> None:
        with staged(path) as fresh:
            fresh.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_an_obstacle_in_the_path_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    staged_path(path).mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(path, b"new")
    assert (path.read_bytes(), staged_path(path).is_dir()) == (b"old", True)


def test_a_reader_finds_the_old_or_the_new_content_and_never_a_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {bytes([letter]) * 200_000 for letter in b"abcd"}
    replace_file(path, next(iter(contents)))
    found, ended = set[bytes](), threading.Event()

    def read() -> None:
        while not ended.is_set():
            found.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        for content in contents:
            replace_file(path, content)
    ended.set()
    reader.join()
    assert found <= contents


def test_after_a_partial_write_the_rest_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, raw: write(descriptor, raw[:3]))
    with (tmp_path / "file").open("wb") as file:
        write_all(file.fileno(), b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_files_and_folders_are_synced_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    sync_path(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_path(tmp_path / "none")


def make_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, make_link])
def test_what_is_no_regular_file_is_neither_read_nor_waited_for_and_can_be_set_aside(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    for _ in range(2):
        make(path)
        with pytest.raises(OSError, match=r"not a regular|directory|symbolic links") as raised:
            read_file(path, 10)
        assert is_unusable(raised.value)
        assert set_aside(path) == f"it was renamed to {quote_value(tmp_path / 'file.refused')}"
        assert not os.path.lexists(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_file(path, 10) == b"0123456789"
    os.truncate(path, 10 << 30)  # sparse
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_file(path, 10)


def test_a_link_is_followed_on_request_only(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert read_file(tmp_path / "link", 10, follow=True) == b"x"


def test_a_file_is_set_aside_beside_a_folder_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.refused").mkdir()
    for content in (b"first", b"second"):
        path.write_bytes(content)
        assert set_aside(path) == f"it was renamed to {quote_value(tmp_path / 'file.refused2')}"
        assert (tmp_path / "file.refused2").read_bytes() == content
    assert set_aside(path) == "it cannot be renamed: No such file or directory"


def test_what_a_killed_process_left_is_removed_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("log.1.new", "log.2.new", "mine.new", "log.1"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "file.new").mkdir()
    remove_staged(tmp_path, ("file", "log.*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.new.refused", "log.1", "mine.new"]


def test_a_fifo_in_the_place_of_the_new_file_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(staged_path(tmp_path / "file"))
    replace_file(tmp_path / "file", b"x")
    assert (tmp_path / "file").read_bytes() == b"x"
