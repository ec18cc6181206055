"""Who owns the replicas of a target: decided purely, from objects of the API server.

Two writers of one field undo each other's changes. So the controller writes the replicas only if nobody else does, or
if `spec.scaling.takeOwnership` says so. An autoscaler on the target is never overridden, because it writes every 15 s.

Proof of another owner is an object that names the target, a controller above it, or a manifest that contains the
replicas: by server-side apply in `managedFields`, by client-side apply in `last-applied-configuration`. An entry of
operation `Update` proves nothing, since whoever creates an object owns the default of its replicas, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from ..reasons import Reason
from .kinds import at_path, replicas_path
from .managed_fields import FieldWriter, managers_of, writers_of

Item = Mapping[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ARGO_TRACKING = "argocd.argoproj.io/tracking-id"  # annotation: APPLICATION:GROUP/KIND:NAMESPACE/NAME
ARGO_INSTANCE = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")  # labels: the application
# by field manager: the kind of object that it applies, and the prefix of the labels with its name and namespace
FLUX_MANAGERS = {
    "helm-controller": ("HelmRelease", "helm.toolkit.fluxcd.io"),
    "kustomize-controller": ("Kustomization", "kustomize.toolkit.fluxcd.io"),
}
KEDA_NAME = "scaledobject.keda.sh/name"  # label of the autoscaler that KEDA creates
OWN_SETTING = "set spec.scaling.takeOwnership: true"
METRIC = "set spec.scaling.surface: metric"

# by API group and kind, alphabetically: controllers that write the replicas of what they own at each reconciliation
RECONCILED = {("apps", "Deployment"), ("argoproj.io", "Rollout"), ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOwner:
    """Another owner of a field.

    Attributes:
        kind: what it is, such as `HorizontalPodAutoscaler`, `Deployment`, `Helm` or `Argo CD`.
        name: the name of the object or of the application; empty if it is unknown.
        manager: its field manager, empty if that is unknown.
        reason: the reason of the refusal.
        text: what it does, as a sentence without a full stop.
        remedy: what to do.
        yields: whether `takeOwnership: true` overrides it.
    """

    kind: str
    name: str
    manager: str
    reason: Reason
    text: str
    remedy: str
    yields: bool

    @property
    def message(self) -> str:
        """The sentence for status, Events and log: text and remedy."""
        return f"{self.text}; {self.remedy}"


def find_owner(
    target: Item, *, autoscalers: Sequence[Item] = (), scaled_objects: Sequence[Item] = ()
) -> FieldOwner | None:
    """Return the strongest owner of the replicas of `target`; None if nobody else owns them.

    `autoscalers` and `scaled_objects` are all HorizontalPodAutoscalers and ScaledObjects of the namespace.
    """
    return next(_owners(target, autoscalers, scaled_objects), None)


def _owners(target: Item, autoscalers: Sequence[Item], scaled_objects: Sequence[Item]) -> Iterator[FieldOwner]:
    """Yield all owners, the strongest one first."""
    for found in scaled_objects:
        if _refers(found, "scaleTargetRef", target, "Deployment"):
            yield _scaled_object(_name(found), target)
    for found in autoscalers:
        if _refers(found, "scaleTargetRef", target):
            keda = _labels(found).get(KEDA_NAME)
            yield _scaled_object(keda, target) if keda else _autoscaler(_name(found), target)
    for reference in _references(target):
        yield _controller(reference, target)
    for writer in writers_of(target, replicas_path(target)):
        if writer.operation == "Apply" and not writer.own:
            yield _applier(writer, target)
    if (application := argo_application(target)) is not None and in_last_applied(target):
        yield _argo(application, target, "argocd-controller")


def find_resources_owner(target: Item, *, vertical_autoscalers: Sequence[Item] = ()) -> FieldOwner | None:
    """Return the VerticalPodAutoscaler that sets the resources of the pods of `target`; None without one.

    `vertical_autoscalers` are all of the namespace. One with the update mode `Off` sets nothing.
    """
    for found in vertical_autoscalers:
        policy = _map(_spec(found), "updatePolicy")
        if _refers(found, "targetRef", target) and policy.get("updateMode") != "Off":
            return FieldOwner(
                kind="VerticalPodAutoscaler",
                name=_name(found),
                manager="",
                reason=Reason.AUTOSCALER,
                text=f"the VerticalPodAutoscaler {quote_value(_name(found))} sets the resources of {described(target)}",
                remedy="set its updateMode to Off, or do not scale by CPU and memory",
                yields=False,
            )
    return None


def later_reset(target: Item) -> str:
    """Return who may reset the replicas of `target` at a later time, and the remedy; empty if nothing shows that.

    Helm 3 and `kubectl apply` write only when a person runs them, so they do not own the replicas meanwhile.
    """
    if in_last_applied(target) and argo_application(target) is None:
        return f"the next `kubectl apply` resets {field_of(target)}; remove the field from the manifest"
    if _labels(target).get("app.kubernetes.io/managed-by") != "Helm" or "helm" not in managers_of(target):
        return ""
    does = "conflicts on" if managers_of(target)["helm"] == "Apply" else "resets"
    return f"the next `helm upgrade` {does} {field_of(target)} if the chart sets it; remove the field from the chart"


def argo_application(target: Item) -> str | None:
    """Return the application of Argo CD that tracks `target`, None without one.

    The label `app.kubernetes.io/instance` alone is none: charts set it, too.
    """
    tracking = _annotations(target).get(ARGO_TRACKING, "")
    if tracking:
        return str(tracking).partition(":")[0]
    certain, common = (_labels(target).get(label) for label in ARGO_INSTANCE)
    argo = any(is_argo(manager) for manager in managers_of(target))
    return str(certain or common or "") if certain or argo else None


def in_last_applied(target: Item) -> bool:
    """Return whether the manifest of the last client-side apply contains the replicas."""
    try:
        applied = json.loads(_annotations(target).get(LAST_APPLIED, ""))
    except (ValueError, TypeError, RecursionError):
        return False
    return at_path(applied, replicas_path(target)) is not None


def is_argo(manager: str) -> bool:
    """Return whether Argo CD writes as `manager`, such as argocd-controller."""
    return manager.startswith("argocd")


def is_loop(manager: str) -> bool:
    """Return whether a tool writes as `manager` that applies a manifest again and again: Argo CD, Flux or Helm."""
    return is_argo(manager) or manager in {*FLUX_MANAGERS, "helm"}


def field_of(item: Item) -> str:
    """Return the field that sets the replicas of an object, such as `.spec.replicas`."""
    return "." + ".".join(replicas_path(item))


def described(item: Item) -> str:
    """Return kind and name of an object, such as `Deployment "delays"`."""
    return f"{item.get('kind') or 'object'} {quote_value(_name(item))}"


def _autoscaler(name: str, target: Item) -> FieldOwner:
    return FieldOwner(
        kind="HorizontalPodAutoscaler",
        name=name,
        manager="kube-controller-manager",
        reason=Reason.AUTOSCALER,
        text=f"the HorizontalPodAutoscaler {quote_value(name)} scales {described(target)}",
        remedy=f"delete it, or {METRIC} and let it follow pilotfish_desired_replicas; takeOwnership cannot override it",
        yields=False,
    )


def _scaled_object(name: str, target: Item) -> FieldOwner:
    return FieldOwner(
        kind="ScaledObject",
        name=name,
        manager="keda",
        reason=Reason.SCALED_OBJECT,
        text=f"the ScaledObject {quote_value(name)} of KEDA scales {described(target)}",
        remedy=f"delete it, or {METRIC} and give it a trigger of type metrics-api; takeOwnership cannot override it",
        yields=False,
    )


def _controller(reference: Item, target: Item) -> FieldOwner:
    kind, name = str(reference.get("kind") or "object"), str(reference.get("name") or "")
    group = str(reference.get("apiVersion") or "").rpartition("/")[0]
    reconciled = (group, kind) in RECONCILED
    remedy = f"name {kind} {quote_value(name)} in spec.targetRef, or {METRIC}"
    if not reconciled:
        remedy += f"; if it leaves the replicas alone, {OWN_SETTING}"
    return FieldOwner(
        kind=kind,
        name=name,
        manager="",
        reason=Reason.CONTROLLED,
        text=f"{kind} {quote_value(name)} controls {described(target)}",
        remedy=remedy,
        yields=not reconciled,
    )


def _applier(writer: FieldWriter, target: Item) -> FieldOwner:
    manager = writer.manager
    if is_argo(manager):
        return _argo(argo_application(target) or "", target, manager)
    if manager in FLUX_MANAGERS:
        return _flux(target, manager)
    helm = manager == "helm"
    name = str(_annotations(target).get("meta.helm.sh/release-name") or "") if helm else ""
    command = "helm upgrade" if helm else "kubectl apply --server-side" if manager == "kubectl" else ""
    remedy = f"remove the field from the {'chart' if helm else 'manifest'}, or {OWN_SETTING}"
    if command:
        remedy += f": then your next `{command}` would conflict on {field_of(target)}"
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
            "remove the field from the manifest in its repository, or let the application ignore it (ignoreDifferences "
            f"and the sync option RespectIgnoreDifferences=true) and {OWN_SETTING}"
        ),
        yields=True,
    )


def _flux(target: Item, manager: str) -> FieldOwner:
    labels = _labels(target)
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
            f"remove the field from the manifest in its repository, or {OWN_SETTING}; "
            "Flux may then set the replicas back at its next reconciliation"
        ),
        yields=True,
    )


def _refers(found: Item, key: str, target: Item, kind: str = "") -> bool:
    """Return whether `spec.KEY` of `found` names `target`; `kind` is the default of the reference."""
    reference, api_version = _map(_spec(found), key), str(target.get("apiVersion") or "")
    group = str(reference.get("apiVersion") or api_version).rpartition("/")[0]
    named = (group, str(reference.get("kind") or kind), str(reference.get("name") or ""))
    return named == (api_version.rpartition("/")[0], str(target.get("kind") or ""), _name(target))


def _references(target: Item) -> list[Item]:
    references = _map(target, "metadata").get("ownerReferences")
    return [
        found
        for found in (references if isinstance(references, list) else ())
        if isinstance(found, dict) and found.get("controller")
    ]


def _map(item: object, key: str) -> Item:
    found = at_path(item, (key,))
    return found if isinstance(found, dict) else {}


def _spec(item: Item) -> Item:
    return _map(item, "spec")


def _labels(item: Item) -> Item:
    return _map(_map(item, "metadata"), "labels")


def _annotations(item: Item) -> Item:
    return _map(_map(item, "metadata"), "annotations")


def _name(item: Item) -> str:
    return str(_map(item, "metadata").get("name") or "")
