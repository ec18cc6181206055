"""Checks of the models' pods: which should have the sidecars and do not, and which have old ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ...errors import number
from ...inject.context import Context, MonitorTraffic, PodOwner
from ...inject.names import LABEL, RELEASE
from ...inject.pod import PodView
from ...inject.selection import why_left_alone
from ..findings import ClusterFinding, Level
from ..pods import OWN, PodWorkload, PodWorkloads, by_owner, container, is_labelled, is_running, note_of
from ..snapshot import ClusterSnapshot, Json, labels_of, name_of, namespace_of
from ..template import template_of

_RESTARTABLE = {"DaemonSet", "Deployment", "StatefulSet"}


def check_injected(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that each pod that asks for the sidecars has them."""
    if "pods" in snapshot.unreadable:
        return
    pods = [pod for pod in snapshot.of("pods") if is_running(pod)]
    owners = PodWorkloads(snapshot)
    targets = _targets(snapshot)
    labels = {name_of(item): labels_of(item) for item in snapshot.of("namespaces")}
    injected = missing = 0
    for owner, group in by_owner(pods, owners).items():
        if _has_sidecars(group[0]) and all(map(_has_sidecars, group)):
            injected += len(group)
            continue
        without = [pod for pod in group if not _has_sidecars(pod)]
        wanted = [pod for pod in without if _wants(pod, owner, labels, targets, snapshot.release)]
        injected += len(group) - len(without)
        if wanted:
            missing += len(wanted)
            yield _missing(owner, wanted)
    if injected and not missing:
        what = f"{number(injected, 'pod')} with sidecars, and no pod that asks for them is without"
        yield ClusterFinding(check="injected", level=Level.OK, where="pods", what=what)
    if not injected and not missing:
        what = "no pod has sidecars or asks for them: nothing is measured"
        remedy = "kubectl label namespace NAME pilotfish.dev/inject=all, then kubectl rollout restart deployment/MODEL"
        yield ClusterFinding(check="injected", level=Level.HINT, where="pods", what=what, remedy=remedy)


def _has_sidecars(pod: Json) -> bool:
    return is_labelled(pod) and all(container(pod, name) is not None for name in OWN)


def _targets(snapshot: ClusterSnapshot) -> Mapping[PodWorkload, MonitorTraffic]:
    """Return the monitor of each workload that one targets."""
    found = {}
    for item in snapshot.of("modelmonitors"):
        target = (item.get("spec") or {}).get("targetRef") or {}
        owner = PodWorkload(namespace_of(item), str(target.get("kind") or ""), str(target.get("name") or ""))
        found[owner] = MonitorTraffic(name_of(item))
    return found


def _wants(
    pod: Json,
    owner: PodWorkload,
    labels: Mapping[str, Mapping[str, str]],
    targets: Mapping[PodWorkload, MonitorTraffic],
    release: str,
) -> bool:
    context = Context(
        namespace=owner.namespace,
        labels=labels.get(owner.namespace) or {},
        monitor=targets.get(owner),
        owner=PodOwner("", owner.kind, owner.name) if owner.kind != "Pod" else None,
        release_namespace=release,
    )
    return why_left_alone(PodView(pod), context) is None


def _missing(owner: PodWorkload, pods: list[Json]) -> ClusterFinding:
    note = note_of(pods[0])
    if note.mode == "none":
        what = f"{number(len(pods), 'pod')} not injected ({note.reason}): {note.message}"
        remedy = f"do what the message says, then {restart(owner)}"
        return ClusterFinding(check="injected", level=Level.WARNING, where=str(owner), what=what, remedy=remedy)
    if is_labelled(pods[0]):
        what = f"{number(len(pods), 'pod')} with the label of injected pods, but not all sidecars"
        return ClusterFinding(
            check="injected", level=Level.ERROR, where=str(owner), what=what,
            remedy=f"remove the label pilotfish.dev/injected from the pod template, then {restart(owner)}",
        )  # fmt: skip
    what = (
        f"{number(len(pods), 'pod')} without sidecars and without an answer of the injector: created before the "
        "injector or its label, or while it did not answer"
    )
    return ClusterFinding(check="injected", level=Level.WARNING, where=str(owner), what=what, remedy=restart(owner))


def restart(owner: PodWorkload) -> str:
    """Return how to create the pods of a workload again."""
    if owner.kind in _RESTARTABLE:
        return f"kubectl -n {owner.namespace} rollout restart {owner.kind.lower()}/{owner.name}"
    if owner.kind == "Pod":
        return f"create the pod {owner.name} again"
    return f"let the controller of {owner.kind.lower()}/{owner.name} create its pods again"


def check_current(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that the sidecars are those of the installed release."""
    release = str(template_of(snapshot).get("release") or "")
    pods = [pod for pod in snapshot.of("pods") if is_running(pod) and is_labelled(pod)]
    if not release or not pods:
        return
    old = [pod for pod in pods if labels_of(pod).get(RELEASE) != release]
    for owner, group in by_owner(old, PodWorkloads(snapshot)).items():
        versions = ", ".join(sorted({labels_of(pod).get(RELEASE) or "none" for pod in group}))
        what = f"{number(len(group), 'pod')} with sidecars of release {versions}; {release} is installed"
        yield ClusterFinding(check="current", level=Level.WARNING, where=str(owner), what=what, remedy=restart(owner))
    if not old:
        what = f"all sidecars are of release {release}"
        yield ClusterFinding(check="current", level=Level.OK, where="pods", what=what)


def check_namespaces(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check the labels of namespaces."""
    for item in snapshot.of("namespaces"):
        value = labels_of(item).get(LABEL)
        if value is not None and value not in {"all", "monitored"}:
            what = f"the label {LABEL}={value[:40]} has no meaning on a namespace"
            remedy = f"kubectl label --overwrite namespace {name_of(item)} {LABEL}=all (or monitored)"
            yield ClusterFinding(
                check="injected", level=Level.WARNING, where=f"namespace/{name_of(item)}", what=what, remedy=remedy
            )


def injected_pods(snapshot: ClusterSnapshot) -> Iterable[Json]:
    """Return the running pods with sidecars."""
    return (pod for pod in snapshot.of("pods") if is_running(pod) and _has_sidecars(pod))
