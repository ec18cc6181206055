"""Which package imports which, and what the data plane loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.sources import Source, sources
from tests.support.waiting import patient

# The packages of the sidecar that each package of the data plane may import. import-linter has no contract for this.
MAY_SEE = {
    "channel": {"errors", "system"},
    "proxy": {"channel", "errors", "log", "settings", "system", "wire"},
    "system": {"errors"},
    "wire": {"errors"},
}
HEAVY = {"aiohttp", "asyncio", "concurrent", "kubernetes", "msgspec", "numpy", "prometheus_client", "rich", "yaml"}
# All modules of the proxy process, the interpreter's own among them (155 with Python 3.11).
MOST_MODULES = 190


@cache
def imports(source: Source) -> frozenset[str]:
    """Return the absolute names that `source` imports, at any place in it."""
    found = set()
    package = ("pilotfish", *source.path.parent.parts)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, (node.module,))))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@pytest.mark.parametrize("package", MAY_SEE)
def test_the_data_plane_sees_only_what_it_may(package: str) -> None:
    allowed = MAY_SEE[package] | {package}
    files = [source for source in sources("sidecar") if source.path.parts[1] == package]
    assert files, f"sidecar/{package} holds no module"
    for source in files:
        seen = {name.split(".")[2] for name in imports(source) if name.startswith("pilotfish.sidecar.")}
        assert seen <= allowed, f"{source.path} imports {sorted(seen - allowed)}"


TOP = Path("sidecar/notebook/package/__init__.py")  # installed as pilotfish/__init__.py, so it has two places


@pytest.mark.parametrize("package", ["detectors", "sidecar"])
def test_packages_import_themselves_and_each_other_relatively(package: str) -> None:
    for source in sources(package):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and not node.level and source.path != TOP:
                absolute = str(node.module).startswith("pilotfish")
                assert not absolute, f"{source.path}:{node.lineno} imports {node.module} absolutely"


def test_tests_import_through_pilotfish() -> None:
    for source in sources("tests"):
        roots = {name.split(".")[0] for name in imports(source)}
        assert not roots & {"sidecar", "detectors"}, f"{source.path} does not import through pilotfish"


def test_the_kubernetes_client_is_imported_in_one_place_when_a_connection_is_made() -> None:
    """Its import costs 0.35 s and 54 MB, which only the controller and the injector should pay."""
    for source in sources("sidecar"):
        found = {name for name in imports(source) if name.split(".")[0] == "kubernetes"}
        assert not found or source.path == Path("sidecar/kube/configuration.py"), f"{source.path} imports {found}"
        at_import = [node for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not any("kubernetes" in ast.unparse(node) for node in at_import), source.path


def test_the_proxy_process_stays_light(record_property: Callable[[str, object], None]) -> None:
    program = (
        "import sys; from pilotfish.sidecar import cli; cli.build_parser('proxy'); "
        "print(*sorted(name for name in sys.modules if not name.startswith('__editable__')))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=patient(30)
    )
    loaded = shown.stdout.split()
    record_property("modules", len(loaded))
    assert not HEAVY & {name.split(".")[0] for name in loaded}
    assert len(loaded) <= MOST_MODULES, f"{len(loaded)} modules: {loaded}"
