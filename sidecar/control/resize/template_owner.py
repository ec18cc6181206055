"""Who owns the resources in the template of a target, for the method `rollout`. Pure.

Whoever applies the template from a manifest sets the resources back, and so starts another rollout of all pods. A
controller above the target does the same at its next reconciliation. Neither is overridden, since the method `inPlace`
leaves the template alone. An entry of operation `Update`, as of Helm 3, proves nothing: see `workload/appliers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import quote_value
from ...podspec.amounts import KINDS, SIDES
from ..reasons import Reason
from ..workload.appliers import appliers_of
from ..workload.field_owner import FieldOwner, described
from ..workload.kinds import Named, Path, at_path

Item = Mapping[str, Any]

TEMPLATE: Path = ("spec", "template", "spec")
PLACES = ("containers", "initContainers")
REMEDY = "set spec.resources.method to inPlace, which leaves the template alone"


def template_owner(target: Item, container: str) -> FieldOwner | None:
    """Return who else sets the resources of `container` in the template of `target`; None if nobody does."""
    references = at_path(target, ("metadata", "ownerReferences"))
    for reference in references if isinstance(references, list) else ():
        if reference.get("controller"):
            kind, name = str(reference.get("kind") or "object"), str(reference.get("name") or "")
            return _owner(kind, name, "", f"{kind} {quote_value(name)} controls {described(target)}")
    for place in PLACES:
        for side in SIDES:
            for resource in KINDS:
                path = (*TEMPLATE, place, Named(container), "resources", side, resource)
                for applier in appliers_of(target, path):
                    field = f"the resources of container {quote_value(container)} in the template"
                    text = f"{applier.described} applies {field} of {described(target)}"
                    return _owner(applier.kind, applier.name, applier.manager, text)
    return None


def _owner(kind: str, name: str, manager: str, text: str) -> FieldOwner:
    return FieldOwner(
        kind=kind,
        name=name,
        manager=manager,
        reason=Reason.TEMPLATE_OWNED,
        text=text,
        remedy=REMEDY,
        yields=False,
    )
