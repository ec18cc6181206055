"""Checks of what a namespace admits: Pod Security levels against redirect, and quotas without room for the sidecars."""

from __future__ import annotations

from collections.abc import Iterator

from ...inject.names import ENFORCE, INTERCEPTION, LABEL
from ...settings.units import read_quantity
from ..findings import ClusterFinding, Level
from ..pods import PodWorkloads, by_owner, is_running
from ..snapshot import ClusterSnapshot, Json, annotations_of, labels_of, name_of, namespace_of, place
from ..template import template_of

REDIRECT = "redirect"
_RESTRICTING = {"baseline", "restricted"}


def check_redirect(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Find pods and monitors that ask for redirect where the namespace does not admit NET_ADMIN."""
    levels = {name_of(item): labels_of(item).get(ENFORCE, "") for item in snapshot.of("namespaces")}
    remedy = "use auto, port or move, or a namespace that enforces the level privileged"
    asking = (
        pod for pod in snapshot.of("pods") if is_running(pod) and annotations_of(pod).get(INTERCEPTION) == REDIRECT
    )
    for owner in by_owner(asking, PodWorkloads(snapshot)):
        if levels.get(owner.namespace) in _RESTRICTING:
            yield _not_admitted(str(owner), levels[owner.namespace], remedy)
    for item in snapshot.of("modelmonitors"):
        wanted = ((item.get("spec") or {}).get("traffic") or {}).get("interception")
        if wanted == REDIRECT and levels.get(namespace_of(item)) in _RESTRICTING:
            yield _not_admitted(place("modelmonitor", item), levels[namespace_of(item)], remedy)


def _not_admitted(where: str, level: str, remedy: str) -> ClusterFinding:
    what = f"it asks for redirect, which needs NET_ADMIN, and the namespace enforces the Pod Security level {level}"
    return ClusterFinding(check="admission", level=Level.WARNING, where=where, what=what, remedy=remedy)


def check_quotas(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Find labelled namespaces whose quota has no room for the sidecars of one more pod."""
    sidecars = _sidecars(snapshot)
    labelled = {name_of(item) for item in snapshot.of("namespaces") if LABEL in labels_of(item)}
    monitored = {namespace_of(item) for item in snapshot.of("modelmonitors")}
    for item in snapshot.of("resourcequotas"):
        if namespace_of(item) not in labelled | monitored:
            continue
        hard = (item.get("status") or {}).get("hard") or (item.get("spec") or {}).get("hard") or {}
        used = (item.get("status") or {}).get("used") or {}
        for resource, limit in hard.items():
            needed = _needed(sidecars, resource)
            most, now = read_quantity(limit), read_quantity(used.get(resource, 0))
            if needed and most is not None and now is not None and most - now < needed:
                what = f"{resource}: {used.get(resource, 0)} of {limit} are used: no room for the sidecars of a pod"
                remedy = "raise the quota: each pod takes the resources of both sidecars (docs/chart.md, sidecar)"
                yield ClusterFinding(
                    check="admission", level=Level.WARNING, where=place("resourcequota", item), what=what, remedy=remedy
                )


def _needed(sidecars: list[Json], resource: str) -> float:
    """Return how much of a quota's resource the sidecars of one pod take."""
    kind, _, name = resource.rpartition(".")
    amounts = (((one.get("resources") or {}).get(kind or "requests") or {}).get(name) for one in sidecars)
    return sum(read_quantity(amount) or 0.0 for amount in amounts if amount is not None)


def _sidecars(snapshot: ClusterSnapshot) -> list[Json]:
    """Return the containers of the template that the injector uses, with the CPU limit that a quota on it demands."""
    found = template_of(snapshot)
    cpu = found.get("guaranteedCpu") or {}
    return [_limited(found[key], cpu.get(key)) for key in ("proxy", "analyzer") if isinstance(found.get(key), dict)]


def _limited(container: Json, cpu: object) -> Json:
    resources = container.get("resources") or {}
    return {"resources": {**resources, "limits": {"cpu": cpu, **(resources.get("limits") or {})}}}
