"""The injection: a pod, its Context and the template give a JSON patch. Pure: no I/O and no clock.

The patch changes single paths, so fields that this version does not know survive. A pod that is injected already, also
by an earlier call in the same admission, gets no patch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .context import Context, Json
from .errors import NotInjectedError
from .meshes import after_mesh
from .model import InjectedServer, find_model
from .modes import choose_plan
from .names import INJECTED, INJECTION, RELEASE, SAFE_TO_EVICT
from .operations import Operation, add
from .plan import InterceptionMode, InterceptionPlan, open_low_ports
from .pod import PodView
from .reasons import InjectionReason
from .resources import raise_pod_level, refuse_beyond_pod_limits, refuse_beyond_quotas
from .selection import why_left_alone
from .sidecars import refuse_taken_names, sidecars
from .template import SidecarTemplate

MAX_ANNOTATIONS = 256 * 1024  # bytes of all annotations of an object
_ROOM = 16 * 1024  # for the annotation of the injection


@dataclass(frozen=True)
class Injection:
    """The outcome. Without a patch, nothing is to do.

    A pod that asks for sidecars and cannot have them has mode `none` and a patch with an annotation that says why.
    """

    patch: tuple[Operation, ...]
    mode: InterceptionMode
    reason: InjectionReason
    message: str


def inject(pod: Json, context: Context, template: SidecarTemplate) -> Injection:
    """Return the injection of `pod`, an object of kind Pod or the template of a workload."""
    view = PodView(pod)
    left_alone = why_left_alone(view, context)
    if left_alone is not None:
        return Injection((), InterceptionMode.NONE, left_alone, left_alone.meaning)
    try:
        _refuse_full_annotations(view)
        _refuse_environment(view)
        refuse_taken_names(view, template)
        model = find_model(view, context)
        plan = choose_plan(view, context, model)
        added = sidecars(plan, view, context, template)
        refuse_beyond_pod_limits(view, context, added)
        refuse_beyond_quotas(view, context, added)
    except NotInjectedError as error:
        note = {"mode": InterceptionMode.NONE.value, "reason": error.reason.value, "message": str(error)}
        patch = () if error.reason is InjectionReason.ANNOTATIONS_FULL else tuple(_annotate(view, note))
        return Injection(patch, InterceptionMode.NONE, error.reason, str(error))
    patch = (
        *_annotate(view, _note(plan, model, added), _safe_to_evict(view, template)),
        *_map_entries(view.metadata.get("labels"), "labels", {INJECTED: "true", RELEASE: template.release}),
        *plan.operations,
        *_insert(view.spec.get("initContainers"), "initContainers", added, after_mesh(view)),
        *_insert(view.spec.get("volumes"), "volumes", template.volumes),
        *_pull_secrets(view, template),
        *open_low_ports(view, plan.pairs),
        *raise_pod_level(view, added, template.guaranteed_cpu),
    )
    return Injection(patch, plan.mode, plan.reason, plan.message)


def _refuse_full_annotations(pod: PodView) -> None:
    """Raise NotInjectedError if the API server would refuse the pod because of one more annotation."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in pod.annotations.items() if key != INJECTION)
    if size + _ROOM > MAX_ANNOTATIONS:
        what = f"the annotations of the pod have {size} bytes; the API server allows {MAX_ANNOTATIONS}"
        raise NotInjectedError(InjectionReason.ANNOTATIONS_FULL, what)


def _refuse_environment(pod: PodView) -> None:
    selector = pod.spec.get("nodeSelector") or {}
    windows = (pod.spec.get("securityContext") or {}).get("windowsOptions")
    if (pod.spec.get("os") or {}).get("name") == "windows" or selector.get("kubernetes.io/os") == "windows" or windows:
        raise NotInjectedError(InjectionReason.WINDOWS, "the pod runs on Windows", "no sidecars run there")
    if pod.spec.get("hostNetwork"):
        raise NotInjectedError(InjectionReason.HOST_NETWORK, "the pod has hostNetwork: true")


def _note(plan: InterceptionPlan, model: InjectedServer, added: list[dict[str, object]]) -> dict[str, object]:
    return {
        "mode": plan.mode.value,
        "reason": plan.reason.value,
        "message": plan.message,
        "container": model.name,
        "ports": [
            {"listen": pair.listen, "upstream": pair.upstream, **({"names": [*pair.names]} if pair.names else {})}
            for pair in plan.pairs
        ],
        "containers": [container["name"] for container in added],
    }


def _safe_to_evict(pod: PodView, template: SidecarTemplate) -> dict[str, str]:
    """Return the annotation that lets the cluster autoscaler remove a node although the sidecars have volumes on it."""
    own = [name for part in pod.annotations.get(SAFE_TO_EVICT, "").split(",") if (name := part.strip())]
    ours = [volume["name"] for volume in template.volumes if "emptyDir" in volume and volume["name"] not in own]
    return {SAFE_TO_EVICT: ",".join([*own, *ours])} if ours else {}


def _annotate(pod: PodView, note: Mapping[str, object], further: Mapping[str, str] | None = None) -> list[Operation]:
    entries = {INJECTION: json.dumps(note), **(further or {})}
    return _map_entries(pod.metadata.get("annotations"), "annotations", entries)


def _map_entries(present: Json | None, key: str, entries: dict[str, str]) -> list[Operation]:
    """Return the operations that set `entries` in the map `key` of the metadata, which may be missing."""
    changed = {name: value for name, value in entries.items() if (present or {}).get(name) != value}
    if present is None:
        return [add(changed, "metadata", key)]
    return [add(value, "metadata", key, name) for name, value in changed.items()]


def _insert(
    present: list[object] | None,
    key: str,
    items: list[dict[str, object]] | tuple[Json, ...],
    position: int | None = None,
) -> list[Operation]:
    """Return the operations that insert `items` into a list of the spec, which may be missing."""
    if not items:
        return []
    if present is None:
        return [add([*items], "spec", key)]
    if position is None:
        return [add(item, "spec", key, "-") for item in items]
    return [add(item, "spec", key, position + offset) for offset, item in enumerate(items)]


def _pull_secrets(pod: PodView, template: SidecarTemplate) -> list[Operation]:
    present = pod.spec.get("imagePullSecrets")
    known = {secret.get("name") for secret in present or ()}
    missing = tuple({"name": name} for name in template.image_pull_secrets if name not in known)
    return _insert(present, "imagePullSecrets", missing)
