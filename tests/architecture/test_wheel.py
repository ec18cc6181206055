"""The wheel holds the one package `pilotfish`, complete; it is built from a copy of the tree, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("LICENSE", "README.md", "detectors", "pyproject.toml", "setup.py", "sidecar")
TOP = "sidecar/notebook/package"  # becomes pilotfish itself
IGNORED = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the wheel and return the names in it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=IGNORED)
        else:
            shutil.copy(ROOT / name, tree / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tree / "dist"), str(tree)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not built.returncode, built.stdout[-2000:] + built.stderr[-2000:]
    (path,) = (tree / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_wheel_installs_only_pilotfish(wheel: list[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"pilotfish"}
    assert not [name for name in wheel if "tests" in name.split("/")]


def test_the_wheel_is_complete(wheel: list[str]) -> None:
    for folder in ("sidecar", "detectors"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                place = path.name if path.parent == ROOT / TOP else path.relative_to(ROOT)
                assert f"pilotfish/{place}" in wheel
