"""One public class name stands for one thing in the whole distribution package."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.architecture.sources import sources


def test_no_public_class_name_is_used_twice() -> None:
    places = defaultdict(list)
    for source in [*sources("detectors"), *sources("sidecar")]:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{source.path}:{node.lineno}")
    twice = {name: where for name, where in sorted(places.items()) if len(where) > 1}
    report = "\n".join(f"  {name}: {', '.join(where)}" for name, where in twice.items())
    assert not twice, f"{len(twice)} class names stand for several things; rename all but one of each:\n{report}"
