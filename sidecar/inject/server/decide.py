"""The decision about one pod: gathers what `inject` needs, and turns its outcome into an answer. No effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

from ...errors import PilotfishError, quote_value
from ..context import Context, Json, owner_of
from ..injection import Injection, inject
from ..names import LABEL
from ..operations import patch_json
from ..patching import apply
from ..plan import InterceptionMode
from ..reasons import InjectionReason
from ..sizing import PodSizing, SizedPod, size
from ..template import SidecarTemplate
from .mirrors import OPTED_IN, ClusterMirrors
from .owners import OwnerReference
from .review import ReviewAnswer, ReviewRequest

QUIET = frozenset({InjectionReason.ALREADY_INJECTED, InjectionReason.NOT_SELECTED, InjectionReason.OPTED_OUT})


class NotReadyError(PilotfishError):
    """A review that arrived before the injector knows enough to decide."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with a pod. `stale` names the kinds of objects whose mirror may be out of date.

    `sized` is what became of the resources that a monitor recommends, None if none does.
    """

    injection: Injection
    owners: tuple[OwnerReference, ...] = field(default=())
    stale: tuple[str, ...] = ()
    sized: SizedPod | None = None

    @property
    def asked_for(self) -> bool:
        """Whether the pod asks for sidecars that it does not have yet."""
        return self.injection.reason not in QUIET

    def answer(self) -> ReviewAnswer:
        """Return the answer to the review."""
        found = self.injection
        audit = {"mode": str(found.mode), "reason": str(found.reason), "stale": ", ".join(self.stale)}
        sized = self.sized.patch if self.sized is not None else ()
        audit |= {"resources": self.sized.message} if self.sized is not None else {}
        refused = self.asked_for and found.mode == InterceptionMode.NONE
        warnings = [f"Pilotfish did not inject its sidecars: {found.message}"] if refused else []
        return ReviewAnswer(patch_json((*found.patch, *sized)), warnings=warnings, audit=audit)


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Decides reviews with what `mirrors` knows; `template` returns the template in force.

    Pods of `resize_namespaces` get the resources that their monitor recommends.
    """

    mirrors: ClusterMirrors
    template: Callable[[], SidecarTemplate]
    release_namespace: str
    resize_namespaces: frozenset[str] = frozenset()

    def may_ask(self, request: ReviewRequest) -> bool:
        """Return whether the pod asks for sidecars by a label of its own or of its namespace, as far as is known.

        Pods of other namespaces are reviewed as well, since a monitor may target them. Nobody asked that they be
        refused.
        """
        labels = (request.pod or {}).get("metadata", {}).get("labels") or {}
        own = labels.get(LABEL) if isinstance(labels, dict) else None
        facts = self.mirrors.namespaces().get(request.namespace)
        return own == "true" or (own != "false" and (facts is None or facts.labels.get(LABEL) in OPTED_IN))

    async def decide(self, request: ReviewRequest) -> Decision:
        """Return the decision about the pod of a request; raise NotReadyError."""
        assert request.pod is not None
        mirrors, namespace, pod = self.mirrors, request.namespace, request.pod
        missing = mirrors.missing()
        if missing:
            raise NotReadyError(f"the injector has not read these objects yet: {', '.join(missing)}; try again")
        facts = await mirrors.namespace(namespace)
        if facts is None:
            raise NotReadyError(f"namespace {quote_value(namespace)} cannot be read; look at the log of the injector")
        owners = await mirrors.owners(pod, namespace)
        labels = pod["metadata"].get("labels") or {}
        monitor = mirrors.monitor_of(namespace, owners)
        context = Context(
            namespace=namespace,
            labels=facts.labels,
            annotations=facts.annotations,
            services=tuple(mirrors.services.candidates(namespace, labels)),
            pools=tuple(
                chain(mirrors.pools.candidates(namespace, labels), mirrors.alpha_pools.candidates(namespace, labels))
            ),
            monitor=monitor.traffic if monitor is not None else None,
            limit_ranges=mirrors.limits.all(namespace),
            quotas=mirrors.quotas.all(namespace),
            owner=owner_of(pod),
            release_namespace=self.release_namespace,
        )
        injection = inject(pod, context, self.template())
        sizing = monitor.sizing if monitor is not None and namespace in self.resize_namespaces else None
        sized = _sized(pod, injection, sizing, context)
        return Decision(injection, owners, mirrors.stale(), sized)


def _sized(pod: Json, injection: Injection, sizing: PodSizing | None, context: Context) -> SizedPod | None:
    """Return the resources of a pod that has sidecars: the controller resizes no others."""
    has_sidecars = injection.mode != InterceptionMode.NONE or injection.reason is InjectionReason.ALREADY_INJECTED
    return size(apply(pod, injection.patch), sizing, context) if sizing is not None and has_sidecars else None
