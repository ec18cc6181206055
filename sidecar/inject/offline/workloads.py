"""The pod templates of each kind of workload, and the hint for kinds whose controllers write the pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from .documents import ManifestDocument
from .errors import ManifestError
from .shapes import METADATA, POD, problems

Path = tuple[str | int, ...]

TEMPLATES: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("", "Pod"): ((),),
    ("", "PodTemplate"): (("template",),),
    ("", "ReplicationController"): (("spec", "template"),),
    ("apps", "DaemonSet"): (("spec", "template"),),
    ("apps", "Deployment"): (("spec", "template"),),
    ("apps", "ReplicaSet"): (("spec", "template"),),
    ("apps", "StatefulSet"): (("spec", "template"),),
    ("argoproj.io", "Rollout"): (("spec", "template"),),
    ("batch", "CronJob"): (("spec", "jobTemplate", "spec", "template"),),
    ("batch", "Job"): (("spec", "template"),),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
}
# Groups of the kinds whose controllers write the pods. No template of theirs can be patched.
CONTROLLED = {
    ("machinelearning.seldon.io", "SeldonDeployment"),
    ("mlops.seldon.io", "Server"),
    ("ray.io", "RayCluster"),
    ("ray.io", "RayService"),
    ("serving.knative.dev", "Service"),
    ("serving.kserve.io", "InferenceService"),
    ("serving.kserve.io", "LLMInferenceService"),
    ("serving.kserve.io", "ServingRuntime"),
    ("serving.kserve.io", "ClusterServingRuntime"),
}


@dataclass(frozen=True, eq=False)
class ManifestObject:
    """One object of a document: the document itself, or an item of a List at `path`."""

    document: ManifestDocument
    path: Path
    value: dict[str, Any]
    namespace: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        version = self.value.get("apiVersion")
        return version.rpartition("/")[0] if isinstance(version, str) else ""

    @property
    def kind(self) -> str:
        """The kind."""
        return str(self.value.get("kind", ""))

    @property
    def name(self) -> str:
        """The name, or the start of a generated one."""
        metadata = self.value.get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name or '(no name)'}"


@dataclass(frozen=True, eq=False)
class Workload:
    """An object with pod templates, at `templates` in its document."""

    found: ManifestObject
    templates: tuple[Path, ...]


def objects(documents: list[ManifestDocument], where: str, namespace: str) -> Iterator[ManifestObject]:
    """Yield all objects, those of Lists, too; `namespace` is that of objects without one. Raises ManifestError."""
    for document in documents:
        yield from _objects(document, (), document.value, where, namespace)


def _objects(
    document: ManifestDocument, path: Path, value: Any, where: str, namespace: str
) -> Iterator[ManifestObject]:
    if not isinstance(value, dict):
        raise _error(where, document, document.value, f"{_place(path)} is not an object", "give a manifest")
    for name in ("apiVersion", "kind"):
        if not isinstance(value.get(name), str) or not value[name]:
            what = f"{_place((*path, name))} is {'missing' if name not in value else quote_value(value[name])}"
            raise _error(where, document, value, what, "give a manifest of Kubernetes")
    if value["kind"].endswith("List") and ("items" in value):
        items = value["items"] or []
        if not isinstance(items, list):
            raise _error(where, document, value, f"{_place((*path, 'items'))} is not a list", "give a list of objects")
        for at, item in enumerate(items):
            yield from _objects(document, (*path, "items", at), item, where, namespace)
        return
    metadata = value.get("metadata") or {}
    for problem, what in problems(metadata, METADATA, _place((*path, "metadata"))):
        raise _error(where, document, value, f"{problem} {what}", "correct it")
    yield ManifestObject(document, path, value, metadata.get("namespace") or namespace)


def workload(found: ManifestObject, where: str) -> Workload | None:
    """Return the object as a workload, None if its kind has no pod template; raise ManifestError for a bad template."""
    templates = []
    for steps in TEMPLATES.get((found.group, found.kind), ()):
        template: Any = found.value
        for at, step in enumerate(steps):
            if not isinstance(template, dict):
                what = f"{_place((*found.path, *steps[:at]))} is not an object"
                raise _error(where, found.document, found.value, what, "correct it")
            template = template.get(step)
            if template is None:
                break
        if template is not None:
            path = (*found.path, *steps)
            _check_pod(found, path, template, where)
            templates.append(path)
    return Workload(found, tuple(templates)) if (found.group, found.kind) in TEMPLATES else None


def _check_pod(found: ManifestObject, path: Path, pod: Any, where: str) -> None:
    for problem, what in problems(pod, POD, _place(path)):
        raise _error(where, found.document, found.value, f"{found}: {problem} {what}", "correct it")
    containers = (pod.get("spec") or {}).get("containers")
    place = _place((*path, "spec", "containers"))
    if not containers:
        raise _error(where, found.document, pod, f"{found}: {place} is missing", "give the pod a container")
    for at, container in enumerate(containers):
        if not container.get("name"):
            what = f"{found}: {place}[{at}].name is missing"
            raise _error(where, found.document, container, what, "name the container")


def _place(path: Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "the document"


def _error(where: str, document: ManifestDocument, value: Any, what: str, remedy: str) -> ManifestError:
    line = document.line(value) or document.line(document.value)
    return ManifestError(where, what, remedy, document=document.number, line=line)
