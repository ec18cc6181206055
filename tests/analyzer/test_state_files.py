"""Each file of the state folders, replaced or damaged in each way: the analyzer starts, says so once, and goes on.

The list of files is `state_files.py`. A file that an analyzer writes and that is not in the list fails a test.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import cycle
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.analyzer.state_files import (
    PROXY_FILES,
    ROW_FILES,
    SHARED_FILES,
    STATE_FILES,
    remove_unfinished,
)
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.control.app import OUTBOX_FILE
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.errors import UsageError
from tests.analyzer.made import T0
from tests.analyzer.test_damaged_state import FILES, count_and_save, opened, whole
from tests.support.limits import largest_file
from tests.support.users import NOBODY, needs_root

__all__ = ["whole"]  # a fixture

PREVIOUS = "state/profile.previous"  # is only read if the stored profile is damaged
READ = sorted({*FILES, "state/lock"})

NAMES = [*READ, "state/outbox.jsonl"]


def make_huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(10 << 30)  # sparse


def make_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def make_empty(path: Path) -> None:
    os.truncate(path, 0)


def make_newer(path: Path) -> None:
    path.write_bytes(b"PLTFNEXT" + path.read_bytes()[8:])


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(b"x")


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.unlink()
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero: endless


DAMAGES: tuple[Callable[[Path], None], ...] = (
    make_empty, make_fifo, make_folder, make_huge, make_newer, make_zeros
)  # fmt: skip


def start(folder: Path, *, proxy: bool = False) -> list[str]:
    """Start proxy side, analyzer and outbox in `folder`, count and save, and return all that was said."""
    if proxy:
        CounterPage.open(folder / "shared" / "page", now_ns=T0).close()
    outbox = OutboxFile(folder / "state" / OUTBOX_FILE)
    outbox.open()
    outbox.close()
    with opened(folder) as app:
        count_and_save(app, 300)
        return [*app.report.warnings, outbox.damage]


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    start(folder, proxy=True)
    return folder


@pytest.fixture
def folder_for_all() -> Iterator[Path]:
    """A folder outside of pytest's own ones, which only this user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_each_file_is_in_the_list(copy: Path) -> None:
    known = {
        **dict.fromkeys(("state", ""), STATE_FILES),
        "rows": ROW_FILES,
        "shared": (*PROXY_FILES, *SHARED_FILES),
    }
    for path in copy.rglob("*"):
        if path.is_file() and path.parent != copy:
            patterns = known[path.parent.name]
            assert any(fnmatch(path.name, pattern) for pattern in patterns), f"add {path} to state_files.py"
    assert OUTBOX_FILE in STATE_FILES


def try_damage(name: str, damage: Callable[[Path], None], folder: Path) -> None:
    path = folder / name
    damage(path)
    start(folder, proxy=True)
    again = [text for text in start(folder, proxy=True) if "refused" in text and "profile.refused" not in text]
    assert again == []
    if name != PREVIOUS:
        assert path.is_file() or not path.exists()


@pytest.mark.parametrize(("name", "damage"), list(zip(NAMES, cycle(DAMAGES), strict=False)))
def test_a_damaged_file_is_said_at_most_once_and_the_next_start_is_clean(
    name: str, damage: Callable[[Path], None], copy: Path
) -> None:
    try_damage(name, damage, copy)


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_each_damage_to_each_file_is_said_at_most_once(name: str, damage: Callable[[Path], None], copy: Path) -> None:
    try_damage(name, damage, copy)


def test_a_folder_in_the_place_of_an_unfinished_file_is_set_aside(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.new").mkdir(parents=True)
    (tmp_path / "state" / "profile.new").rmdir()
    (tmp_path / "state" / "profile.new").write_bytes(b"half")
    remove_unfinished(Options(shared=tmp_path / "shared", state=tmp_path / "state", admin="127.0.0.1:1"))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.new")}
    assert left == {"shared/page.new"}, "the proxy writes its own page"
    assert not (tmp_path / "state" / "profile.new.refused").exists()


@pytest.mark.long
@needs_root
@pytest.mark.parametrize("name", [name for name in READ if name != PREVIOUS])
def test_a_device_is_set_aside_and_never_read(name: str, copy: Path) -> None:
    make_device(copy / name)
    start(copy, proxy=True)
    assert not (copy / name).is_char_device()


@pytest.mark.long
def test_no_write_fails_hard_on_a_full_disk(copy: Path) -> None:
    for size in (0, 100, 5000):
        with largest_file(size):
            said = start(copy)
        assert any("cannot write" in text or "cannot be written" in text for text in said), said
    assert not any("cannot" in text for text in start(copy))


def test_a_second_analyzer_on_the_same_state_folder_is_refused_with_the_remedy(copy: Path) -> None:
    other = copy.parent / "other"
    other.mkdir()
    (other / "state").symlink_to(copy / "state")
    (other / "shared").mkdir()
    shutil.copy(copy / "monitor.yaml", other)
    shutil.copy(copy / "profile.json", other)
    with opened(copy), pytest.raises(UsageError, match=r"another analyzer uses it; give each analyzer its own --state"):
        start(other)


@pytest.mark.long
@needs_root
@pytest.mark.parametrize("name", READ)
def test_an_unreadable_file_of_another_user_than_root_is_set_aside_or_opened(
    name: str, copy: Path, folder_for_all: Path
) -> None:
    folder = folder_for_all / "copy"
    shutil.copytree(copy, folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    (folder / name).chmod(0)
    child = os.fork()
    if not child:  # the other user
        status = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            start(folder)
            again = [text for text in start(folder) if "refused" in text and "profile.refused" not in text]
            status = 0 if not again else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
