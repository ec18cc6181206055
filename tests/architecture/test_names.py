"""One public class name stands for one thing within each of the two packages."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.architecture.sources import sources


@pytest.mark.parametrize("package", ["detectors", "sidecar"])
def test_no_public_class_name_is_used_twice(package: str) -> None:
    places = defaultdict(list)
    for source in sources(package):
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{source.path}:{node.lineno}")
    twice = {name: where for name, where in sorted(places.items()) if len(where) > 1}
    report = "\n".join(f"  {name}: {', '.join(where)}" for name, where in twice.items())
    assert not twice, f"{len(twice)} class names stand for several things; rename all but one of each:\n{report}"
