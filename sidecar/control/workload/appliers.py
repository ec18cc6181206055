"""Clients that apply a manifest with a field in it: Argo CD, Flux, Helm and kubectl.

Proof is a manifest that contains the field: by server-side apply in `managedFields`, by client-side apply in
`last-applied-configuration`. An entry of operation `Update` proves nothing, since whoever creates an object owns the
defaults of its fields, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from ..reasons import Reason
from .field_owner import annotations_of, labels_of
from .kinds import Path, at_path
from .managed_fields import managers_of, writers_of

Item = Mapping[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ARGO_TRACKING = "argocd.argoproj.io/tracking-id"  # annotation: APPLICATION:GROUP/KIND:NAMESPACE/NAME
ARGO_INSTANCE = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")  # labels: the application
# by field manager: the kind of object that it applies, and the prefix of the labels with its name and namespace
FLUX_MANAGERS = {
    "helm-controller": ("HelmRelease", "helm.toolkit.fluxcd.io"),
    "kustomize-controller": ("Kustomization", "kustomize.toolkit.fluxcd.io"),
}
ARGO_CD, FLUX, HELM, SERVER_SIDE = "Argo CD", "Flux", "Helm", "server-side apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """A client that applies a field.

    Attributes:
        kind: one of ARGO_CD, FLUX, HELM, SERVER_SIDE.
        name: of the application or release, empty if it is unknown.
        manager: its field manager.
        applied: the kind of object of Flux that it applies, such as `HelmRelease`; empty for others.
    """

    kind: str
    name: str
    manager: str
    applied: str = ""

    @property
    def reason(self) -> Reason:
        """Why the field is not written."""
        return Reason.GITOPS if self.kind in {ARGO_CD, FLUX} else Reason.APPLIED_ELSEWHERE

    @property
    def described(self) -> str:
        """Who applies, as the subject of a sentence."""
        if self.kind == ARGO_CD:
            return f"the application{f' {quote_value(self.name)}' if self.name else ''} of Argo CD"
        if self.kind == FLUX:
            return f"the {self.applied} {quote_value(self.name)} of Flux"
        return f"the field manager {quote_value(self.manager)}"


def appliers_of(target: Item, path: Path) -> Iterator[Applier]:
    """Yield the clients that apply a manifest with the field at `path` of `target`."""
    for writer in writers_of(target, path):
        if writer.operation == "Apply" and not writer.own:
            yield _applier(writer.manager, target)
    if (application := argo_application(target)) is not None and in_last_applied(target, path):
        yield Applier(kind=ARGO_CD, name=application, manager="argocd-controller")


def argo_application(target: Item) -> str | None:
    """Return the application of Argo CD that tracks `target`, None without one.

    The label `app.kubernetes.io/instance` alone is none: charts set it, too.
    """
    tracking = annotations_of(target).get(ARGO_TRACKING, "")
    if tracking:
        return str(tracking).partition(":")[0]
    certain, common = (labels_of(target).get(label) for label in ARGO_INSTANCE)
    argo = any(is_argo(manager) for manager in managers_of(target))
    return str(certain or common or "") if certain or argo else None


def in_last_applied(target: Item, path: Path) -> bool:
    """Return whether the manifest of the last client-side apply contains the field at `path`."""
    try:
        applied = json.loads(annotations_of(target).get(LAST_APPLIED, ""))
    except (ValueError, TypeError, RecursionError):
        return False
    return at_path(applied, path) is not None


def is_argo(manager: str) -> bool:
    """Return whether Argo CD writes as `manager`, such as argocd-controller."""
    return manager.startswith("argocd")


def is_loop(manager: str) -> bool:
    """Return whether a tool writes as `manager` that applies a manifest again and again: Argo CD, Flux or Helm."""
    return is_argo(manager) or manager in {*FLUX_MANAGERS, "helm"}


def _applier(manager: str, target: Item) -> Applier:
    if is_argo(manager):
        return Applier(kind=ARGO_CD, name=argo_application(target) or "", manager=manager)
    if manager in FLUX_MANAGERS:
        applied, prefix = FLUX_MANAGERS[manager]
        parts = (str(labels_of(target).get(f"{prefix}/{part}") or "") for part in ("namespace", "name"))
        return Applier(kind=FLUX, name="/".join(filter(None, parts)), manager=manager, applied=applied)
    if manager == "helm":
        release = str(annotations_of(target).get("meta.helm.sh/release-name") or "")
        return Applier(kind=HELM, name=release, manager=manager)
    return Applier(kind=SERVER_SIDE, name="", manager=manager)
