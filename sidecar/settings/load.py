"""Entry point of the settings: reads bytes or a file and returns a valid ModelMonitor.

A document is accepted or refused as a whole. SettingsError lists all problems at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..system.files import read_file
from .document import ModelMonitor
from .environment import apply_environment
from .errors import DocumentProblem, SettingsError
from .parsing import DocumentReader, TooManyProblemsError
from .places import resource_problems
from .validation import find_problems
from .yamltree import MAX_DOCUMENT_BYTES, read_tree


def parse(raw: bytes, where: str, environ: Mapping[str, str] | None = None, *, cluster: bool = True) -> ModelMonitor:
    """Return the document in `raw` (YAML or JSON) with the overrides in `environ`; raise SettingsError.

    `where` names the source in messages. Without `cluster`, settings that work in a cluster only are problems.
    """
    tree = read_tree(raw, where)
    variables = apply_environment(tree.root, environ or {})
    reader = DocumentReader(tree.lines, variables)
    monitor = None
    with suppress(TooManyProblemsError):
        monitor = reader.struct(ModelMonitor, tree.root, "$")
        for problem in find_problems(monitor, cluster=cluster) if monitor else ():
            reader.note(problem.path, problem.what, problem.remedy)
    if monitor is None or reader.problems:
        raise SettingsError(where, reader.problems)
    return monitor


def parse_resource(raw: bytes, where: str) -> ModelMonitor:
    """Return the ModelMonitor of a cluster in the JSON `raw`, without its status; raise SettingsError.

    In addition to the problems of `parse`, a missing target is one, and each setting that names a file.
    """
    monitor = parse(raw, where)
    problems = tuple(resource_problems(monitor.spec))
    if problems:
        raise SettingsError(where, problems)
    return monitor


def load(path: Path, environ: Mapping[str, str] = os.environ, *, cluster: bool = True) -> ModelMonitor:
    """Return the document in the file `path` with the overrides in `environ`, as `parse` does; raise SettingsError."""
    try:
        raw = read_file(path, MAX_DOCUMENT_BYTES, follow=True)
    except OSError as error:
        problem = DocumentProblem("$", f"cannot be read ({error.strerror})", "check the path and its permissions")
        raise SettingsError(str(path), [problem]) from error
    return parse(raw, str(path), environ, cluster=cluster)
