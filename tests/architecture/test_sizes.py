"""Files and functions are short enough to read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.sources import Source, sources

FILE_LINES = 400
FUNCTION_LINES = 80


def too_long(source: Source) -> Iterator[str]:
    """Yield what is longer than it may be."""
    lines = len(source.text.splitlines())
    if lines > FILE_LINES:
        yield f"{source.path} has {lines} lines"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{source.path}: {node.name} has {lines} lines"


def test_files_and_functions_are_short() -> None:
    found = [
        one
        for package in ("dashboards", "detectors", "sidecar")
        for source in sources(package)
        for one in too_long(source)
    ]
    assert not found, "\n".join(found)


def test_every_module_has_a_docstring() -> None:
    everything = [*sources("dashboards"), *sources("detectors"), *sources("sidecar")]
    found = [str(source.path) for source in everything if not ast.get_docstring(source.tree)]
    assert not found, "\n".join(found)
