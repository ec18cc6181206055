"""Clients that apply a manifest with the replicas in it: Argo CD, Flux, Helm and kubectl.

Proof is a manifest that contains the replicas: by server-side apply in `managedFields`, by client-side apply in
`last-applied-configuration`. An entry of operation `Update` proves nothing, since whoever creates an object owns the
default of its replicas, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import quote_value
from ..reasons import Reason
from ..workload.field_owner import OWN_SETTING, FieldOwner, annotations_of, described, field_of, labels_of
from ..workload.kinds import at_path, replicas_path, spec_replicas
from ..workload.managed_fields import FieldWriter, managers_of, writers_of

Item = Mapping[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CLIENT_SIDE = "kubectl-client-side-apply"
ARGO_TRACKING = "argocd.argoproj.io/tracking-id"  # annotation: APPLICATION:GROUP/KIND:NAMESPACE/NAME
ARGO_INSTANCE = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")  # labels: the application
# by field manager: the kind of object that it applies, and the prefix of the labels with its name and namespace
FLUX_MANAGERS = {
    "helm-controller": ("HelmRelease", "helm.toolkit.fluxcd.io"),
    "kustomize-controller": ("Kustomization", "kustomize.toolkit.fluxcd.io"),
}


def applying_owners(target: Item) -> Iterator[FieldOwner]:
    """Yield the clients that apply a manifest with the replicas of `target`."""
    for writer in writers_of(target, replicas_path(target)):
        if writer.operation == "Apply" and not writer.own:
            yield _applier(writer, target)
    if (application := argo_application(target)) is not None and in_last_applied(target):
        yield _argo(application, target, "argocd-controller")


def later_reset(target: Item) -> str:
    """Return who may reset the replicas of `target` at a later time, and the remedy; empty if nothing shows that.

    Helm 3 and `kubectl apply` write only when a person runs them, so they do not own the replicas meanwhile.
    """
    if in_last_applied(target) and argo_application(target) is None:
        return (
            f"the next `kubectl apply` resets {field_of(target)}; "
            "remove the field by `kubectl apply edit-last-applied`, and from the manifest"
        )
    if labels_of(target).get("app.kubernetes.io/managed-by") != "Helm" or "helm" not in managers_of(target):
        return ""
    if managers_of(target)["helm"] == "Apply":
        return f"the next `helm upgrade` conflicts on {field_of(target)} if the chart sets it; remove the field from it"
    remedy = "remove the field from the chart, which sets 1 replica once"
    return f"the next `helm upgrade` resets {field_of(target)} if the chart sets it; {remedy}"


def is_default(target: Item) -> bool:
    """Return whether nobody set the replicas of `target`, so that the default of the API server holds: 1.

    So it is after a manifest lost the field. With client-side apply, the client that removed it is recorded.
    """
    writers = writers_of(target, replicas_path(target))
    if not writers:
        return bool(managers_of(target))
    removed = LAST_APPLIED in annotations_of(target) and not in_last_applied(target)
    by_client = writers[0].manager == CLIENT_SIDE or is_argo(writers[0].manager)
    return removed and by_client and writers[0].operation == "Update" and spec_replicas(target) == 1


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


def in_last_applied(target: Item) -> bool:
    """Return whether the manifest of the last client-side apply contains the replicas."""
    try:
        applied = json.loads(annotations_of(target).get(LAST_APPLIED, ""))
    except (ValueError, TypeError, RecursionError):
        return False
    return at_path(applied, replicas_path(target)) is not None


def is_argo(manager: str) -> bool:
    """Return whether Argo CD writes as `manager`, such as argocd-controller."""
    return manager.startswith("argocd")


def is_loop(manager: str) -> bool:
    """Return whether a tool writes as `manager` that applies a manifest again and again: Argo CD, Flux or Helm."""
    return is_argo(manager) or manager in {*FLUX_MANAGERS, "helm"}


def _applier(writer: FieldWriter, target: Item) -> FieldOwner:
    manager = writer.manager
    if is_argo(manager):
        return _argo(argo_application(target) or "", target, manager)
    if manager in FLUX_MANAGERS:
        return _flux(target, manager)
    helm = manager == "helm"
    name = str(annotations_of(target).get("meta.helm.sh/release-name") or "") if helm else ""
    command = "helm upgrade" if helm else "kubectl apply --server-side" if manager == "kubectl" else ""
    remedy = f"{OWN_SETTING}, and remove the field from the {'chart' if helm else 'manifest'} after the first change"
    if command:
        remedy += f", since your next `{command}` would conflict on {field_of(target)}"
    remedy += "; removed before, it falls to 1"
    return FieldOwner(
        kind="Helm" if helm else "server-side apply",
        name=name,
        manager=manager,
        reason=Reason.APPLIED_ELSEWHERE,
        text=f"the field manager {quote_value(manager)} applies {field_of(target)} of {described(target)}",
        remedy=remedy,
        yields=True,
    )


def _argo(application: str, target: Item, manager: str) -> FieldOwner:
    which = f" {quote_value(application)}" if application else ""
    return FieldOwner(
        kind="Argo CD",
        name=application,
        manager=manager,
        reason=Reason.GITOPS,
        text=f"the application{which} of Argo CD applies {field_of(target)} of {described(target)}",
        remedy=(
            "let the application ignore the field (ignoreDifferences, sync option RespectIgnoreDifferences=true) "
            f"and {OWN_SETTING}; if you remove the field from the manifest instead, the next sync may set it to 1"
        ),
        yields=True,
    )


def _flux(target: Item, manager: str) -> FieldOwner:
    labels = labels_of(target)
    kind, prefix = FLUX_MANAGERS[manager]
    parts = (str(labels.get(f"{prefix}/{part}") or "") for part in ("namespace", "name"))
    name = "/".join(filter(None, parts))
    return FieldOwner(
        kind="Flux",
        name=name,
        manager=manager,
        reason=Reason.GITOPS,
        text=f"the {kind} {quote_value(name)} of Flux applies {field_of(target)} of {described(target)}",
        remedy=(
            f"suspend the {kind}, change the replicas by `kubectl scale`, remove the field from the manifest in its "
            f"repository, and resume it; or {OWN_SETTING}, but Flux may set the replicas back"
        ),
        yields=True,
    )
