"""Checks of what else acts on injected workloads: autoscalers and GitOps controllers."""

from __future__ import annotations

from collections.abc import Iterator

from ...inject.template import ANALYZER, PROXY
from ..findings import ClusterFinding, Level
from ..pods import OWN, PodWorkload, PodWorkloads, by_owner, container
from ..snapshot import ClusterSnapshot, Json, annotations_of, labels_of, name_of, namespace_of, place
from .pods import injected_pods

FLUX = ("helm.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/name")
ARGO = "argocd.argoproj.io/tracking-id"


def check_autoscalers(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check autoscalers of injected workloads, which count or resize the sidecars, too."""
    injected = by_owner(injected_pods(snapshot), PodWorkloads(snapshot))
    for item in snapshot.of("horizontalpodautoscalers"):
        owner = _target(item, "scaleTargetRef")
        metrics = [metric.get("resource") or {} for metric in (item.get("spec") or {}).get("metrics") or ()]
        names = sorted({str(metric.get("name")) for metric in metrics if metric})
        pod = next(iter(injected.get(owner, ())), None)
        if not names or pod is None:
            continue
        where = place("horizontalpodautoscaler", item)
        without = [name for name in OWN for resource in names if not _requests(pod, name, resource)]
        if without:
            what = (
                f"it scales by {', '.join(names)} of the pod, but {', '.join(without)} requests none: it cannot scale"
            )
            remedy = (
                "install the chart with requests for the sidecars (sidecar.proxy.resources, sidecar.analyzer.resources)"
            )
            yield ClusterFinding(check="owners", level=Level.ERROR, where=where, what=what, remedy=remedy)
        else:
            what = f"it scales by {', '.join(names)} of the whole pod, to which the sidecars belong now"
            remedy = "to scale by the model alone, use a metric of type ContainerResource with the model's container"
            yield ClusterFinding(check="owners", level=Level.HINT, where=where, what=what, remedy=remedy)
    for item in snapshot.of("verticalpodautoscalers"):
        owner = _target(item, "targetRef")
        spec = item.get("spec") or {}
        policies = (spec.get("resourcePolicy") or {}).get("containerPolicies") or ()
        off = {str(policy.get("containerName")) for policy in policies if policy.get("mode") == "Off"}
        acts = ((spec.get("updatePolicy") or {}).get("updateMode") or "Auto") != "Off"
        if acts and owner in injected and not {PROXY, ANALYZER} <= off:
            what = "it resizes the sidecars, too"
            remedy = f"set containerPolicies with mode Off for {PROXY} and {ANALYZER}"
            yield ClusterFinding(
                check="owners", level=Level.HINT, where=place("verticalpodautoscaler", item), what=what, remedy=remedy
            )


def _target(item: Json, field: str) -> PodWorkload:
    target = (item.get("spec") or {}).get(field) or {}
    return PodWorkload(namespace_of(item), str(target.get("kind") or ""), str(target.get("name") or ""))


def _requests(pod: Json, name: str, resource: str) -> bool:
    resources = (container(pod, name) or {}).get("resources") or {}
    return any((resources.get(kind) or {}).get(resource) for kind in ("requests", "limits"))


def check_gitops(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check whether a GitOps controller manages the installation, whose live fields it must ignore."""
    for item in (*snapshot.of("mutatingwebhookconfigurations"), *snapshot.of("servers")):
        if ARGO in annotations_of(item):
            what = "Argo CD manages the installation, and would show or revert what the processes write"
            remedy = "ignore caBundle of the webhook and data of the Secret pilotfish-ca: docs/install.md#argo-cd"
        elif any(label in labels_of(item) for label in FLUX):
            what = "Flux manages the installation, and may revert what the processes write"
            remedy = "use a HelmRelease without drift detection of these fields: docs/install.md#flux"
        else:
            continue
        yield ClusterFinding(check="owners", level=Level.HINT, where=name_of(item), what=what, remedy=remedy)
        return
