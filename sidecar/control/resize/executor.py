"""Resizes one container, of a running pod or in the template of its target, and turns the API server's errors into
outcomes.

The object is read, compared with what the intent observed, and patched with the resourceVersion that was read. If
somebody else changed the object in between, nothing is written, and the next check decides again. The patch only
replaces amounts that exist, so it can neither add nor remove a request or a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from ...kube.client import Kube
from ...kube.errors import ConflictError, ForbiddenError, InvalidError, KubeError, NotFoundError
from ...kube.objects import PODS
from ...kube.patch import json_patch
from ...kube.read import get
from ...podspec.amounts import KINDS, SIDES, Amounts, ContainerResources
from ...settings.document import TargetRef
from ..api_errors import is_denied_by_admission, retry_of_error
from ..executor import Done, Dropped, Failed, Outcome, RetryAt
from ..intent import Intent
from ..reasons import Reason
from ..workload.kinds import Path, at_path, resource_of
from ..workload.managed_fields import MANAGER
from .progress import is_running
from .template_owner import PLACES, TEMPLATE, template_owner

Item = Mapping[str, Any]
Operation = dict[str, Any]

RESTART_SECONDS = 2.0  # between two looks at a container that does not run; a restart after a kill takes about one
# by what the API server refuses: the class of the error, a pattern of its causes and message, and the reason
_REFUSALS: tuple[tuple[type[KubeError], re.Pattern[str], Reason], ...] = (
    (ForbiddenError, re.compile(r"NodeCapacity"), Reason.RESIZE_INFEASIBLE),
    (ForbiddenError, re.compile(r"requires features .* not available on node"), Reason.NOT_RESIZABLE),
    (ForbiddenError, re.compile(r"UnsupportedPlatform"), Reason.RESIZE_UNSUPPORTED),
    (ForbiddenError, re.compile(r"(exceeded|failed) quota"), Reason.QUOTA),
    (ForbiddenError, re.compile(r"usage per (Container|Pod)|limit to request ratio per"), Reason.LIMIT_RANGE),
    (InvalidError, re.compile(r"Pod QOS Class", re.IGNORECASE), Reason.QOS_CLASS),
)


@dataclass(frozen=True, slots=True)
class ResizeExecutor:
    """Executor that resizes containers of the pods of `target`, or of its template, in `namespace`.

    The desired and the observed value of an intent are `{"requests": {...}, "limits": {...}}` with quantities of `cpu`
    and `memory`. The key is `Pod/NAMESPACE/NAME/UID/CONTAINER`, or `KIND/NAMESPACE/NAME/CONTAINER` for the template. An
    attempt is idempotent: it sets amounts, and finds out whether an earlier attempt has set them already.
    """

    kube: Kube
    namespace: str
    target: TargetRef

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Set the amounts to `intent.desired` if they are still `intent.observed`."""
        parts = intent.key.split("/")
        pod = parts[0] == "Pod" and len(parts) == len(("Pod", "namespace", "name", "uid", "container"))
        what = f"{parts[0]} {quote_value(parts[2])}, container {quote_value(parts[-1])}"
        try:
            if pod:
                return await self._in_place(intent, what, parts[2], parts[3], parts[4], now)
            return await self._rollout(intent, what, parts[-1])
        except ConflictError as error:
            return Dropped(Reason.CONFLICT, f"{what}: {error}")
        except KubeError as error:
            return _refused(error, now, what)

    async def _in_place(self, intent: Intent, what: str, name: str, uid: str, container: str, now: float) -> Outcome:
        try:
            found = await get(self.kube, PODS, name, self.namespace)
        except NotFoundError:
            return Dropped(Reason.CONFLICT, f"{what}: the pod is gone")
        if found["metadata"].get("uid") != uid or found["metadata"].get("deletionTimestamp"):
            return Dropped(Reason.CONFLICT, f"{what}: the pod ends, or another one has its name")
        operations = _operations(found, ("spec",), container, intent, what)
        if not isinstance(operations, list):
            return operations
        if not is_running(found, container):
            # the kubelet changes the cgroup of the pod only with that of a container that runs
            return RetryAt(Reason.CONTAINER_NOT_RUNNING, now + RESTART_SECONDS, f"{what}: it does not run at present")
        try:
            written = await json_patch(
                self.kube, PODS, name, operations, self.namespace, subresource="resize", field_manager=MANAGER
            )
        except NotFoundError as error:
            if "not find the requested resource" not in str(error):
                return Dropped(Reason.CONFLICT, f"{what}: the pod is gone")
            return Failed(Reason.RESIZE_UNSUPPORTED, f"{what}: {error}")
        return _stored(written, ("spec",), container, intent, what)

    async def _rollout(self, intent: Intent, what: str, container: str) -> Outcome:
        resource = resource_of(self.target.api_version, self.target.kind)
        found = await get(self.kube, resource, self.target.name, self.namespace)
        operations = _operations(found, TEMPLATE, container, intent, what)
        if not isinstance(operations, list):
            return operations
        if (owner := template_owner(found, container)) is not None:
            return Failed(owner.reason, owner.message)
        written = await json_patch(
            self.kube, resource, self.target.name, operations, self.namespace, field_manager=MANAGER
        )
        return _stored(written, TEMPLATE, container, intent, what)


def _operations(found: Item, spec: Path, container: str, intent: Intent, what: str) -> list[Operation] | Outcome:
    """Return the JSON patch of an object that was read, or the outcome if nothing is to be written.

    `spec` is the path of the pod spec in the object. Replacing the resourceVersion lets the API server refuse the patch
    with a conflict if the object has changed, where a failed `test` would count as an invalid patch.
    """
    at = _position(found, spec, container)
    if at is None:
        return Failed(Reason.CONTAINER_NOT_FOUND, f"{what}: there is no container of this name")
    path, block = at
    present, desired = ContainerResources.of(block), _amounts(intent.desired)
    if present == desired:
        return Done(intent.why)
    if present != _amounts(intent.observed):
        text = f"{what} has {present.as_object()} now; it was changed after the decision"
        return Dropped(Reason.CONFLICT, f"{text}; the next check decides again")
    if any(_of(present, side).keys() != _of(desired, side).keys() for side in SIDES):
        text = f"{what} has {present.as_object()}, and {desired.as_object()} would add or remove an amount"
        return Failed(Reason.INVALID_OBJECT, f"{text}; set requests and limits in the manifest")
    metadata = found["metadata"]
    return [
        *({"op": "replace", "path": f"/metadata/{key}", "value": metadata[key]} for key in ("resourceVersion", "uid")),
        *_changes(path, present, desired),
    ]


def _stored(written: Item, spec: Path, container: str, intent: Intent, what: str) -> Outcome:
    """Return the outcome of a patch by the object that the API server has stored.

    An admission webhook may have changed the amounts. It would do so each time, so the change counts as refused.
    """
    at = _position(written, spec, container)
    present = ContainerResources.of(at[1]) if at is not None else None
    if present is None or present == _amounts(intent.desired):
        return Done(intent.why)
    text = f"{what} has {present.as_object()}, where {_amounts(intent.desired).as_object()} was written"
    return Failed(Reason.ADMISSION_DENIED, f"{text}; an admission webhook or policy of the cluster changes it")


def _changes(path: str, present: ContainerResources, desired: ContainerResources) -> Iterator[Operation]:
    written = desired.as_object()
    for side in SIDES:
        for kind in KINDS:
            if _of(present, side).get(kind) != _of(desired, side).get(kind):
                yield {"op": "replace", "path": f"{path}/resources/{side}/{kind}", "value": written[side][kind]}


def _position(found: Item, spec: Path, container: str) -> tuple[str, Item] | None:
    """Return the JSON pointer of a container, and its block `resources`; None if there is no such container."""
    for place in PLACES:
        rows = at_path(found, (*spec, place))
        for index, row in enumerate(rows if isinstance(rows, list) else ()):
            if row.get("name") == container:
                return "/" + "/".join((*map(str, spec), place, str(index))), row.get("resources") or {}
    return None


def _of(resources: ContainerResources, side: str) -> Amounts:
    return resources.requests if side == "requests" else resources.limits


def _amounts(value: object) -> ContainerResources:
    if not isinstance(value, dict):
        raise TypeError(f"resources of an intent: {quote_value(value)}; give a map with requests and limits")
    return ContainerResources.of(value)


def _refused(error: KubeError, now: float, what: str) -> Outcome:
    """Return the outcome of a request that failed. What the cluster can never do is given up, the rest tried again."""
    if is_denied_by_admission(error):
        return Failed(Reason.ADMISSION_DENIED, f"{what}: {error}")
    known = f"{' '.join(sorted(error.causes))} {error}"
    for kind, pattern, reason in _REFUSALS:
        if isinstance(error, kind) and pattern.search(known):
            return Failed(reason, f"{what}: {error}")
    return retry_of_error(error, now, missing=Reason.TARGET_NOT_FOUND, detail=f"{what}: {error}")
