"""Clients that apply a manifest with the replicas in it, and what to do about each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..workload.appliers import (
    ARGO_CD,
    FLUX,
    LAST_APPLIED,
    Applier,
    appliers_of,
    argo_application,
    in_last_applied,
    is_argo,
)
from ..workload.field_owner import OWN_SETTING, FieldOwner, annotations_of, described, field_of, labels_of
from ..workload.kinds import replicas_path, spec_replicas
from ..workload.managed_fields import managers_of, writers_of

Item = Mapping[str, Any]

CLIENT_SIDE = "kubectl-client-side-apply"


def applying_owners(target: Item) -> Iterator[FieldOwner]:
    """Yield the clients that apply a manifest with the replicas of `target`."""
    for applier in appliers_of(target, replicas_path(target)):
        yield FieldOwner(
            kind=applier.kind,
            name=applier.name,
            manager=applier.manager,
            reason=applier.reason,
            text=f"{applier.described} applies {field_of(target)} of {described(target)}",
            remedy=_remedy(applier, target),
            yields=True,
        )


def later_reset(target: Item) -> str:
    """Return who may reset the replicas of `target` at a later time, and the remedy; empty if nothing shows that.

    Helm 3 and `kubectl apply` write only when a person runs them, so they do not own the replicas meanwhile.
    """
    if in_last_applied(target, replicas_path(target)) and argo_application(target) is None:
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
    removed = LAST_APPLIED in annotations_of(target) and not in_last_applied(target, replicas_path(target))
    by_client = writers[0].manager == CLIENT_SIDE or is_argo(writers[0].manager)
    return removed and by_client and writers[0].operation == "Update" and spec_replicas(target) == 1


def _remedy(applier: Applier, target: Item) -> str:
    if applier.kind == ARGO_CD:
        return (
            "let the application ignore the field (ignoreDifferences, sync option RespectIgnoreDifferences=true) "
            f"and {OWN_SETTING}; if you remove the field from the manifest instead, the next sync may set it to 1"
        )
    if applier.kind == FLUX:
        return (
            f"suspend the {applier.applied}, change the replicas by `kubectl scale`, remove the field from the "
            f"manifest in its repository, and resume it; or {OWN_SETTING}, but Flux may set the replicas back"
        )
    helm = applier.manager == "helm"
    command = "helm upgrade" if helm else "kubectl apply --server-side" if applier.manager == "kubectl" else ""
    remedy = f"{OWN_SETTING}, and remove the field from the {'chart' if helm else 'manifest'} after the first change"
    if command:
        remedy += f", since your next `{command}` would conflict on {field_of(target)}"
    return remedy + "; removed before, it falls to 1"
