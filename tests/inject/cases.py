"""The corpus: pods as they reach the webhook, with the objects around them, and the expected patch of each.

`python -m tests.inject.cases` writes the expected patches anew; read their diff before you commit it.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pilotfish.sidecar.inject.context import Context, owner_of, pool_from_object, service_from_object
from pilotfish.sidecar.inject.injection import Injection, inject
from pilotfish.sidecar.inject.operations import patch_json
from pilotfish.sidecar.inject.template import SidecarTemplate, parse_template

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in (FOLDER / "corpus").glob("*.yaml"))


@cache
def template() -> SidecarTemplate:
    return parse_template(yaml.safe_load((FOLDER / "sidecar.yaml").read_text()))


def documents(name: str) -> list[dict[str, Any]]:
    return deepcopy(_documents(name))


@cache
def _documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "corpus" / f"{name}.yaml").read_text()))


def context_of(items: list[dict[str, Any]]) -> Context:
    def kind(wanted: str) -> list[dict[str, Any]]:
        return [item for item in items if item["kind"] == wanted]

    namespace = (kind("Namespace") or [{"metadata": {}}])[0]["metadata"]
    return Context(
        namespace="models",
        labels=namespace.get("labels", {}),
        annotations=namespace.get("annotations", {}),
        services=[service_from_object(item) for item in kind("Service")],
        pools=[pool_from_object(item) for item in kind("InferencePool")],
        limit_ranges=kind("LimitRange"),
        quotas=kind("ResourceQuota"),
        owner=owner_of(kind("Pod")[0]),
    )


def injected(name: str) -> tuple[dict[str, Any], Context, Injection]:
    """Return the pod of a case, its context, and the injection."""
    items = documents(name)
    context = context_of(items)
    return items[0], context, inject(items[0], context, template())


def expected(name: str) -> str:
    """Return the text of the expected file of a case, from the code."""
    _, _, injection = injected(name)
    summary = {"mode": injection.mode.value, "reason": injection.reason.value, "message": injection.message}
    # The annotation repeats the summary.
    patch = [item for item in patch_json(injection.patch) if not item["path"].startswith("/metadata/annotations")]
    return yaml.safe_dump({**summary, "patch": patch}, sort_keys=False, width=120)


if __name__ == "__main__":
    for each in NAMES:
        (FOLDER / "expected" / f"{each}.yaml").write_text(expected(each))
