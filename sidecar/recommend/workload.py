"""A workload that the command looks at: its pods, their containers, and what its ModelMonitor says. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError, quote_value
from ..podspec.quantity import quantity
from ..settings.document import ModelMonitor, Prices, TargetRef
from ..settings.resources import Resources

Json = Mapping[str, Any]
OWN_PREFIX = "pilotfish-"
_RANDOM = "[a-z0-9]{5}"

# names on the command line, as of kubectl, alphabetically: API version and kind
KINDS: Mapping[str, tuple[str, str]] = {
    "daemonset": ("apps/v1", "DaemonSet"),
    "deployment": ("apps/v1", "Deployment"),
    "ds": ("apps/v1", "DaemonSet"),
    "deploy": ("apps/v1", "Deployment"),
    "inferenceservice": ("serving.kserve.io/v1beta1", "InferenceService"),
    "isvc": ("serving.kserve.io/v1beta1", "InferenceService"),
    "llminferenceservice": ("serving.kserve.io/v1alpha1", "LLMInferenceService"),
    "replicaset": ("apps/v1", "ReplicaSet"),
    "rollout": ("argoproj.io/v1alpha1", "Rollout"),
    "rs": ("apps/v1", "ReplicaSet"),
    "statefulset": ("apps/v1", "StatefulSet"),
    "sts": ("apps/v1", "StatefulSet"),
}

# by kind: what follows the name of the workload in the names of its pods, as regular expressions
_POD_SUFFIX: Mapping[str, str] = {
    "DaemonSet": f"-{_RANDOM}",
    "Deployment": f"-[a-z0-9]+-{_RANDOM}",
    "InferenceService": f"-predictor-[a-z0-9]+-{_RANDOM}",
    "LLMInferenceService": f"-kserve-[a-z0-9]+-{_RANDOM}",
    "ReplicaSet": f"-{_RANDOM}",
    "Rollout": f"-[a-z0-9]+-{_RANDOM}",
    "StatefulSet": "-[0-9]+",
}


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs as long as its pod. `resources` are those of most pods, with the keys of its spec."""

    name: str
    resources: Json
    is_init: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the injector adds it, so that no template has it."""
        return self.name.startswith(OWN_PREFIX)

    def amounts(self, side: str) -> Json:
        """Return its requests or limits, as quantities by resource; `side` names which."""
        found = self.resources.get(side)
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class MeasuredWorkload:
    """A workload with its running pods, as the API server has them, and its ModelMonitor, if it has one.

    `status` is `status.resources` of the monitor, by container.
    """

    namespace: str
    target: TargetRef
    pods: Sequence[Json] = ()
    monitor: ModelMonitor | None = None
    status: Mapping[str, Json] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Kind and name as kubectl writes them, such as `deployment/delays`."""
        return f"{self.target.kind.lower()}/{self.target.name}"

    @property
    def resources(self) -> Resources | None:
        """The block `spec.resources` of the monitor."""
        return self.monitor.spec.resources if self.monitor else None

    @property
    def prices(self) -> Prices:
        """The block `spec.prices` of the monitor; prices of 0 without one."""
        return (self.monitor.spec.prices if self.monitor else None) or Prices()

    @property
    def uids(self) -> frozenset[str]:
        """The UIDs of its pods."""
        return frozenset(map(pod_uid, self.pods))

    def containers(self) -> list[Container]:
        """Return the containers of the pods, in the order of the newest pod."""
        newest = max(self.pods, key=_created, default={})
        return [
            Container(str(one["name"]), self._usual(str(one["name"])) or one.get("resources") or {}, is_init)
            for one, is_init in long_running(newest)
        ]

    def cpu_in_force(self, pod: str, container: str) -> tuple[float | None, float | None]:
        """Return CPU request and limit, in cores, that a pod has by name; those of most pods for a pod that is gone."""
        found = next((one for one in self.pods if pod_name(one) == pod), None)
        given = _in_force(found, container) if found is not None else self._usual(container)
        sides = ((given or {}).get(side) for side in ("requests", "limits"))
        request, limit = (quantity(side.get("cpu")) if isinstance(side, dict) else None for side in sides)
        return (None if request is None else float(request)), (None if limit is None else float(limit))

    def pod_name_pattern(self) -> str:
        """Return a regular expression in RE2 for the names of present and past pods."""
        names = sorted(map(pod_name, self.pods))
        patterns = [re.escape(name) for name in names]
        if suffix := _POD_SUFFIX.get(self.target.kind):
            patterns = [
                re.escape(self.target.name) + suffix,
                *(
                    p
                    for p, n in zip(patterns, names, strict=True)
                    if not re.fullmatch(re.escape(self.target.name) + suffix, n)
                ),
            ]
        return "|".join(patterns)

    def _usual(self, container: str) -> Json | None:
        """Return the resources that most pods have for a container; pods that were resized in place can differ."""
        found = [
            one.get("resources") or {} for pod in self.pods for one, _ in long_running(pod) if one["name"] == container
        ]
        counts = Counter(map(repr, found))
        return max(found, key=lambda one: counts[repr(one)], default=None)


def pod_name(pod: Json) -> str:
    """Return the name of a pod."""
    return str((pod.get("metadata") or {}).get("name", ""))


def pod_uid(pod: Json) -> str:
    """Return the UID of a pod."""
    return str((pod.get("metadata") or {}).get("uid", ""))


def long_running(pod: Json) -> Iterator[tuple[Json, bool]]:
    """Yield the containers that run as long as the pod, each with whether it is an init container: a native sidecar."""
    spec = pod.get("spec") or {}
    yield from ((one, False) for one in spec.get("containers") or ())
    yield from ((one, True) for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always")


def statuses(pod: Json) -> list[Json]:
    """Return the statuses of all containers of a pod."""
    status = pod.get("status") or {}
    return [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]


def _in_force(pod: Json, container: str) -> Json:
    """Return the resources that the node enforces for a container; those of the spec if it reports none."""
    given = next((one.get("resources") for one in statuses(pod) if one.get("name") == container), None)
    if isinstance(given, dict):
        return given
    return next((one.get("resources") or {} for one, _ in long_running(pod) if one["name"] == container), {})


def parse_workload(text: str) -> TargetRef:
    """Return the workload in a text such as `deployment/delays`; raise UsageError."""
    kind, _, name = text.partition("/")
    kind = kind.lower().partition(".")[0]
    if kind not in KINDS and kind.removesuffix("s") in KINDS:
        kind = kind.removesuffix("s")
    if kind not in KINDS or not name or "/" in name:
        kinds = ", ".join(sorted({kind.lower() for _, kind in KINDS.values()}))
        raise UsageError(f"--workload {quote_value(text)}: give KIND/NAME; the kinds are {kinds}")
    api_version, word = KINDS[kind]
    return TargetRef(api_version=api_version, kind=word, name=name)


def _created(pod: Json) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp", ""))
