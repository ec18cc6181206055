"""Every path, make target and identifier in CONTRIBUTING exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.architecture.sources import sources

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PLACES = "dashboards/|docs/|sidecar/|detectors/|tests/|\\.ci/|pyproject\\.toml|setup\\.py"  # build/ is made, not kept
PATH = re.compile(rf"`((?:{PLACES})[\w./-]*)`")
# CamelCase or CONSTANT_CASE at the start of a code span: `Score`, `Done(reason)`, `Situation.rules`
IDENTIFIER = re.compile(r"`([A-Z][A-Za-z0-9_]*)(?=[`(.\[ ])")
IN_FILE = re.compile(rf"`(\w+)`\s+in\s+`((?:{PLACES})[\w./-]*\.py)`")
PLACEHOLDERS = {"CLASS", "NAME"}


@cache
def names(folder: str) -> dict[str, set[str]]:
    """Return the names that each file under `folder` defines or imports, by its path below the root."""
    return {str(source.path): set(_bound(source.tree)) for source in sources(folder)}


def _bound(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
        elif isinstance(node, ast.alias):
            found.append(node.asname or node.name)
    return found


def test_every_identifier_is_in_the_code() -> None:
    named = set(IDENTIFIER.findall(TEXT)) - PLACEHOLDERS
    assert len(named) > 20, "the pattern finds few identifiers in CONTRIBUTING.md"
    known = set().union(
        *(found for folder in ("dashboards", "detectors", "sidecar", "tests") for found in names(folder).values())
    )
    assert named <= known, f"CONTRIBUTING.md names {sorted(named - known)}, which the code does not define"


def test_every_identifier_is_in_the_file_that_is_named_with_it() -> None:
    pairs = {(name, path) for name, path in IN_FILE.findall(TEXT) if "NAME" not in path}
    assert pairs, "the pattern finds no identifier with its file in CONTRIBUTING.md"
    missing = sorted((name, path) for name, path in pairs if name not in names(path.split("/")[0])[path])
    assert not missing, f"CONTRIBUTING.md names {missing}, which these files do not define"


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
