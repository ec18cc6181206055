"""A folder for state is refused if another user owns it or a file in it, or if it holds a symbolic link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.app import build
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.system.ownership import require_own

OTHER_USER = 54_321


def test_an_own_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"x")
    (tmp_path / "rows").mkdir()
    require_own(tmp_path, "--state")


def test_an_own_link_to_a_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    require_own(tmp_path / "link", "--state")


@pytest.mark.parametrize("target", ["target", "missing", "/etc/passwd"])
def test_a_link_in_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "checkpoint").symlink_to(target)
    with pytest.raises(UsageError, match=r"--state folder .*checkpoint' is a symbolic link; replace it"):
        require_own(tmp_path, "--state")


@pytest.mark.parametrize("name", ["", "fates"])
def test_a_foreign_owner_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fates").write_bytes(b"")
    if os.geteuid() == 0:
        os.chown(tmp_path / name, OTHER_USER, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(UsageError, match=r"--shared folder .* belongs to user \d+, and Pilotfish runs as user \d+"):
        require_own(tmp_path, "--shared")


@pytest.mark.parametrize("name", ["shared", "state"])
def test_the_analyzer_refuses_a_folder_with_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=f"--{name} folder"):
        build(Options(shared=tmp_path / "shared", state=tmp_path / "state", admin="127.0.0.1:1"))
    assert not (tmp_path / "elsewhere").exists()
