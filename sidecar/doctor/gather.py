"""Reads the snapshot from the API server: the only I/O of the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..errors import number
from ..kube.client import Kube
from ..kube.create import create
from ..kube.errors import ForbiddenError, KubeError, NotFoundError
from ..kube.objects import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    LEASES,
    MODEL_MONITORS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    SUBJECT_ACCESS_REVIEWS,
    Resource,
)
from ..kube.read import list_all
from .rights import needed, review_of
from .snapshot import ClusterSnapshot, Json, Right, Trial
from .trial import trial_namespace, trial_pod

PARALLEL = 8  # requests at a time
CONFIGURATION, NODE = "pilotfish-injector", "pilotfish-node"

Scope = Literal["all", "models", "release"]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class KindToRead:
    """A kind, in which namespaces it is read, and the field selector."""

    resource: Resource
    scope: Scope
    fields: str = ""


def _cluster(group: str, version: str, plural: str) -> Resource:
    return Resource(group, version, plural, namespaced=False)


_POOLS = "inferencepools"
KINDS: Mapping[str, KindToRead] = {
    "authorities": KindToRead(CONFIG_MAPS, "models", "metadata.name=pilotfish-ca"),
    "configuration": KindToRead(CONFIG_MAPS, "release", f"metadata.name={CONFIGURATION}"),
    "daemonsets": KindToRead(Resource("apps", "v1", "daemonsets"), "release", f"metadata.name={NODE}"),
    "customresourcedefinitions": KindToRead(
        CUSTOM_RESOURCE_DEFINITIONS, "all", "metadata.name=modelmonitors.pilotfish.dev"
    ),
    "deployments": KindToRead(DEPLOYMENTS, "models", ""),
    "endpointslices": KindToRead(Resource("discovery.k8s.io", "v1", "endpointslices"), "release"),
    "horizontalpodautoscalers": KindToRead(Resource("autoscaling", "v2", "horizontalpodautoscalers"), "models"),
    "inferencepools": KindToRead(Resource("inference.networking.k8s.io", "v1", _POOLS), "models"),
    "inferencepools.x": KindToRead(Resource("inference.networking.x-k8s.io", "v1alpha2", _POOLS), "models"),
    "leases": KindToRead(LEASES, "release"),
    "modelmonitors": KindToRead(MODEL_MONITORS, "models"),
    "mutatingwebhookconfigurations": KindToRead(
        _cluster("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"),
        "all",
        f"metadata.name={CONFIGURATION}",
    ),
    "namespaces": KindToRead(NAMESPACES, "all"),
    "nodes": KindToRead(_cluster("", "v1", "nodes"), "all"),
    "pods": KindToRead(PODS, "models"),
    "replicasets": KindToRead(REPLICA_SETS, "models"),
    "resourcequotas": KindToRead(Resource("", "v1", "resourcequotas"), "models"),
    "servers": KindToRead(DEPLOYMENTS, "release"),
    "services": KindToRead(SERVICES, "models"),
    "statefulsets": KindToRead(Resource("apps", "v1", "statefulsets"), "models"),
    "validatingadmissionpolicybindings": KindToRead(
        _cluster("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings"), "all"
    ),
    "verticalpodautoscalers": KindToRead(Resource("autoscaling.k8s.io", "v1", "verticalpodautoscalers"), "models"),
}


async def gather(
    kube: Kube,
    *,
    release: str,
    version: str,
    namespace: str,
    wanted: Callable[[str], Sequence[Right]],
    progress: Progress,
) -> ClusterSnapshot:
    """Read the cluster; raise KubeError if the API server does not answer at all.

    `release` may be empty: it is then the namespace of the webhook's Service, else `pilotfish-system`. `namespace`
    limits the models to one namespace. `wanted` returns the rights to ask for.
    """
    progress("asking the API server for its version")
    server = await kube.request("GET", "/version")
    reader = _Reader(kube, namespace)
    await reader.read("mutatingwebhookconfigurations", "")
    release = release or _release(reader.objects.get("mutatingwebhookconfigurations", ()))
    progress("reading pods, Services, monitors and the installation")
    await _together(reader.read(name, release) for name in KINDS if name != "mutatingwebhookconfigurations")
    asked = [*needed(wanted(release), reader.objects.get("servers", ()))]
    rights = await _ask_rights(kube, asked, release, progress)
    return ClusterSnapshot(
        now=datetime.now(UTC),
        release=release,
        version=version,
        server=server or {},
        objects=reader.objects,
        unreadable=reader.unreadable,
        rights=rights,
        trial=await _try(kube, reader.objects.get("namespaces", ()), release, namespace, progress),
    )


def _release(configurations: Sequence[Json]) -> str:
    for item in configurations:
        for webhook in item.get("webhooks") or ():
            found = ((webhook.get("clientConfig") or {}).get("service") or {}).get("namespace")
            if found:
                return str(found)
    return "pilotfish-system"


class _Reader:
    """Reads kinds, and keeps what was read and why the rest was not."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.objects: dict[str, Sequence[Json]] = {}
        self.unreadable: dict[str, str] = {}
        self._kube = kube
        self._namespace = namespace

    async def read(self, name: str, release: str) -> None:
        kind = KINDS[name]
        namespace = {"all": "", "models": self._namespace, "release": release}[kind.scope]
        try:
            found, _ = await list_all(
                self._kube, kind.resource, namespace, field_selector=kind.fields, trim=_without_managers
            )
        except NotFoundError:  # the kind is not installed
            return
        except KubeError as error:
            self.unreadable[name] = str(error)
            return
        self.objects[name] = found


def _without_managers(item: dict[str, Any]) -> dict[str, Any]:
    (item.get("metadata") or {}).pop("managedFields", None)
    return item


async def _together(tasks: Any) -> None:
    """Run the tasks, a few at a time."""
    limit = asyncio.Semaphore(PARALLEL)

    async def one(task: Any) -> None:
        async with limit:
            await task

    await asyncio.gather(*(one(task) for task in tasks))


async def _ask_rights(
    kube: Kube, rights: Sequence[Right], release: str, progress: Progress
) -> Mapping[Right, bool | None]:
    """Return whether each right is granted; None for those that the server did not review."""
    progress(f"asking for {number(len(rights), 'right')} of controller and injector")
    granted: dict[Right, bool | None] = dict.fromkeys(rights)

    async def ask(right: Right) -> None:
        try:
            answer = await create(kube, SUBJECT_ACCESS_REVIEWS, review_of(right, release))
        except KubeError:
            return
        granted[right] = bool((answer.get("status") or {}).get("allowed"))

    await _together(ask(right) for right in rights)
    return granted


async def _try(kube: Kube, namespaces: Sequence[Json], release: str, wanted: str, progress: Progress) -> Trial | None:
    """Create the trial pod as a dry run; return None if this may not be done."""
    namespace = trial_namespace(namespaces, release, wanted)
    progress(f"creating a pod in namespace {namespace} as a dry run")
    path = f"{PODS.path(namespace)}"
    try:
        pod = await kube.request("POST", path, query=[("dryRun", "All")], body=trial_pod(namespace))
    except ForbiddenError as error:
        return Trial(namespace, problem=str(error)) if _by_admission(error) else None
    except KubeError as error:
        return Trial(namespace, problem=str(error))
    return Trial(namespace, pod)


def _by_admission(error: KubeError) -> bool:
    """Return whether an admission plug-in refused the pod, and not RBAC."""
    return "cannot create resource" not in str(error)
