"""Every path and every make target in CONTRIBUTING exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PLACES = "docs/|sidecar/|detectors/|tests/|\\.ci/|pyproject\\.toml|setup\\.py"  # build/ is made, not kept
PATH = re.compile(rf"`((?:{PLACES})[\w./-]*)`")


def test_every_path_is_there() -> None:
    named = {name for name in PATH.findall(TEXT) if "NAME" not in name}
    assert named, "the pattern finds no path in CONTRIBUTING.md"
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing, f"CONTRIBUTING.md names {missing}"


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)(?=`|;|  )", TEXT))
    assert named, "the pattern finds no target in CONTRIBUTING.md"
    assert named <= targets, f"CONTRIBUTING.md names the targets {sorted(named - targets)}"


def test_every_package_of_the_sidecar_is_in_the_table() -> None:
    packages = {path.parent.name for path in (ROOT / "sidecar").glob("*/__init__.py")}
    named = set(re.findall(r"^\| `sidecar/(\w+)/?` \|", TEXT, re.MULTILINE))
    assert packages <= named, f"CONTRIBUTING.md has no row for {sorted(packages - named)}"
