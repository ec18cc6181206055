"""Sets the replicas of a target, and turns the API server's errors into outcomes.

The scale subresource is read, compared with what the intent observed, and written with the resourceVersion that was
read. If somebody else changed the replicas in between, nothing is written, and the next check decides again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import number, quote_value
from ...kube.client import Kube
from ...kube.errors import ConflictError, KubeError
from ...kube.patch import merge_patch
from ...kube.read import get
from ...kube.replace import replace
from ...settings.document import TargetRef
from ..api_errors import retry_of_error
from ..executor import Done, Dropped, Failed, Outcome
from ..intent import Intent
from ..reasons import Reason
from ..workload.kinds import KServeKind, kserve_kind, resource_of, scale_body, spec_replicas
from ..workload.managed_fields import MANAGER

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScaleExecutor:
    """Executor that sets the replicas of `target` in `namespace`: of any kind with a scale subresource, or of KServe.

    The desired and the observed value of an intent are numbers of replicas. An attempt is idempotent: it sets a number,
    and finds out whether an earlier attempt has set it already.
    """

    kube: Kube
    namespace: str
    target: TargetRef

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Set the replicas to `intent.desired` if they are still `intent.observed`."""
        kind = kserve_kind(self.target.api_version, self.target.kind)
        try:
            if kind is not None:
                return await self._bound(kind, intent)
            return await self._scale(intent)
        except ConflictError as error:
            return Dropped(Reason.CONFLICT, f"{self._what}: {error}")
        except KubeError as error:
            return retry_of_error(error, now, missing=Reason.TARGET_NOT_FOUND, detail=f"{self._what}: {error}")

    async def _scale(self, intent: Intent) -> Outcome:
        resource = resource_of(self.target.api_version, self.target.kind)
        found = await get(self.kube, resource, self.target.name, self.namespace, subresource="scale")
        if (early := self._compared(found, intent)) is not None:
            return early
        body = {**found, "spec": {**(found.get("spec") or {}), "replicas": intent.desired}}
        await replace(self.kube, resource, body, subresource="scale", field_manager=MANAGER)
        return Done(intent.why)

    async def _bound(self, kind: KServeKind, intent: Intent) -> Outcome:
        """Set the fields of an object of KServe; the resourceVersion in the patch refuses it after another change."""
        resource = resource_of(self.target.api_version, self.target.kind)
        found = await get(self.kube, resource, self.target.name, self.namespace)
        if problem := kind.problem(found):
            return Failed(Reason.NOT_SCALABLE, f"{self._what}: {problem}")
        if (early := self._compared(found, intent)) is not None:
            return early
        body = scale_body(found, kind, _desired(intent))
        await merge_patch(self.kube, resource, self.target.name, body, self.namespace, field_manager=MANAGER)
        return Done(intent.why)

    def _compared(self, found: Item, intent: Intent) -> Outcome | None:
        """Return the outcome if nothing is to be written: the replicas are as desired, or somebody changed them."""
        replicas = spec_replicas(found)
        if replicas == intent.desired:
            return Done(intent.why)
        if replicas != intent.observed:
            text = f"has {number(replicas, 'replica')} now, and had {intent.observed} when the change was decided"
            return Dropped(Reason.CONFLICT, f"{self._what} {text}; the next check decides again")
        return None

    @property
    def _what(self) -> str:
        return f"{self.target.kind} {quote_value(self.target.name)}"


def _desired(intent: Intent) -> int:
    if not isinstance(intent.desired, int):
        raise TypeError(f"desired replicas of an intent: {quote_value(intent.desired)}; give a whole number")
    return intent.desired
