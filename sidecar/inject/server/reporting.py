"""The effects of a decision beside its answer: the Event on the pod's owner, counters and the log.

A dry run has none of them. The pod has no UID yet, so the Event is about its topmost owner, such as the Deployment. A
pod without an owner gets an Event only if it has a name. The same Event for many pods is one series.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import error_location, quote_value
from ...kube.events import NORMAL, WARNING
from ..plan import InterceptionMode
from .decide import Decision, NotReadyError
from .owners import OwnerReference, controller_of
from .review import ReviewRequest
from .tallies import InjectorTallies

ACTION = "Inject"
FAILED = "InjectionFailed"
_LOG = logging.getLogger("pilotfish.injector")

RecordEvent = Callable[[Mapping[str, Any], str, str, str, str], None]  # object, reason, action, note, type


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Reports decisions. `record` records an Event, and neither waits nor fails.

    `injected` gets the namespace of each pod that is injected.
    """

    record: RecordEvent
    injected: Callable[[str], None]
    tallies: InjectorTallies

    def decided(self, request: ReviewRequest, decision: Decision) -> None:
        """Report a decision."""
        found = decision.injection
        if request.dry_run:
            return
        self.tallies.injections[str(found.mode), str(found.reason)] += 1
        if (sized := decision.sized) is not None:
            self.tallies.sized["sized" if sized.changed else "kept", sized.reason] += 1
            _LOG.info("resources of a new pod of namespace %s: %s", quote_value(request.namespace), sized.message)
        if decision.stale:
            _LOG.warning("decided with what was known earlier: no news of %s lately", ", ".join(decision.stale))
        if not decision.asked_for:
            return
        refused = found.mode == InterceptionMode.NONE
        if not refused:
            self.injected(request.namespace)
        note = found.message if refused else f"sidecars injected, mode {found.mode}: {found.message}"
        self._event(request, decision.owners, found.reason.camel, note, WARNING if refused else NORMAL)

    def failed(self, request: ReviewRequest, error: Exception, *, refused: bool) -> str:
        """Report a review that could not be decided; return why, for the answer."""
        expected = isinstance(error, NotReadyError | TimeoutError)
        why = str(error) if isinstance(error, NotReadyError) else f"{type(error).__name__} at {error_location(error)}"
        outcome = "refused" if refused else "admitted without sidecars"
        text = f"the pod was {outcome}, because the injector failed: {why}"
        if request.dry_run:
            return text
        _LOG.error(
            "a pod of namespace %s was %s: %s", quote_value(request.namespace), outcome, why,
            exc_info=None if expected else error,
        )  # fmt: skip
        owner = controller_of(request.pod or {})
        self._event(request, () if owner is None else (owner,), FAILED, text, WARNING)
        return text

    def _event(
        self, request: ReviewRequest, owners: Sequence[OwnerReference], reason: str, note: str, kind: str
    ) -> None:
        regarding = subject(request, owners)
        if regarding is not None:
            self.record(regarding, reason, ACTION, note, kind)


def subject(request: ReviewRequest, owners: Sequence[OwnerReference]) -> dict[str, Any] | None:
    """Return what an Event is about: the last owner with a UID, else the pod if it has a name."""
    for owner in reversed(owners):
        if owner.uid:
            return owner.item(request.namespace)
    name = (request.pod or {}).get("metadata", {}).get("name")
    if not isinstance(name, str) or not name:
        return None
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": request.namespace}}
