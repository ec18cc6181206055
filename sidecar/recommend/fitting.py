"""From a recommendation to requests and limits of new pods: as the injector computes them, and what is missing. Pure.

The result is for the template of the workload, whose pods are replaced. So what a running pod forbids does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..podspec.adjust import ResizeSurroundings, adjusted
from ..podspec.amounts import KINDS, Amounts, ContainerResources, Kind
from ..podspec.notes import NoteReason
from ..podspec.quotas import quota_rooms
from ..podspec.rules import ResizeRules
from ..settings.resources import CpuRange, MemoryRange
from .advice import Advice, unapplied
from .compute import settings_of
from .figures import amount
from .recommended import Bounds, ContainerRecommendation, exact
from .workload import Container, Json, MeasuredWorkload, long_running


@dataclass(frozen=True, slots=True)
class NamespaceRules:
    """LimitRanges and ResourceQuotas of the namespace, as objects of the Kubernetes API."""

    limit_ranges: Sequence[Json] = ()
    quotas: Sequence[Json] = ()


def advise(
    workload: MeasuredWorkload,
    container: Container,
    recommended: ContainerRecommendation | None,
    surroundings: NamespaceRules,
) -> Advice:
    """Return the advice for one container; without a recommendation, its resources stay as they are."""
    now = ContainerResources.of(container.resources)
    why = unapplied(workload, container, recommended)
    if recommended is None:
        return Advice(workload, container, now, now, None, (), why)
    pod = _template(workload, container)
    own = workload.resources
    controlled = own.controlled_values if own and own.container == container.name else "RequestsAndLimits"
    limit_ranges = ResizeSurroundings(surroundings.limit_ranges)
    found = adjusted(pod, container.name, recommended.target, ResizeRules(controlled=controlled), limit_ranges)
    proposed, added = _completed(found.resources, recommended.target)
    notes = [note.text for note in found.notes if note.reason is not NoteReason.NOT_SET or note.kind not in added]
    notes += _bound_notes(workload, container, recommended)
    notes += [f"it has no {kind} request now; with one, the scheduler keeps room for it" for kind in added]
    notes += _quota_notes(workload, pod, now, proposed, surroundings.quotas)
    return Advice(workload, container, now, proposed, recommended, tuple(dict.fromkeys(notes)), why)


def _template(workload: MeasuredWorkload, container: Container) -> Json:
    """Return the newest pod that has the container, with the resources that most pods have, without its status."""
    with_it = [pod for pod in workload.pods if any(one["name"] == container.name for one, _ in long_running(pod))]
    newest = max(with_it, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    usual = {one.name: one.resources for one in workload.containers()}
    spec = dict(newest["spec"])
    for place in ("containers", "initContainers"):
        spec[place] = [
            {**one, "resources": usual.get(one["name"], one.get("resources") or {})} for one in spec.get(place) or ()
        ]
    return {"metadata": newest["metadata"], "spec": spec}


def _completed(resources: ContainerResources, target: Bounds) -> tuple[ContainerResources, list[Kind]]:
    """Return the resources with a request of each recommended kind that has neither request nor limit; and these."""
    added: list[Kind] = [one for one in KINDS if one in target and resources.amount("requests", one) is None]
    requests: Amounts = {**resources.requests, **{kind: target[kind] for kind in added}}
    return ContainerResources(requests, resources.limits), added


def _bound_notes(
    workload: MeasuredWorkload, container: Container, recommended: ContainerRecommendation
) -> Iterator[str]:
    """Yield a sentence for each resource whose target is a bound, and not what the use asks for."""
    settings = settings_of(workload, container)
    of = "a pod" if workload.resources is None or workload.resources.container != container.name else "spec.resources"
    blocks: Mapping[Kind, CpuRange | MemoryRange | None] = {"cpu": settings.cpu, "memory": settings.memory}
    for kind, block in blocks.items():
        target, asked = recommended.target.get(kind), recommended.uncapped.get(kind)
        if block is None or target is None or asked is None or asked == target:
            continue
        for bound, value in (("minimum", block.min), ("maximum", block.max)):
            if exact({kind: float(value)}).get(kind) == target:
                yield f"its use asks for {amount(kind, asked)} of {kind}; the {bound} of {of} is {amount(kind, target)}"


def _quota_notes(
    workload: MeasuredWorkload, pod: Json, now: ContainerResources, proposed: ContainerResources, quotas: Sequence[Json]
) -> Iterator[str]:
    """Yield a sentence for each quota without room for the change of all pods."""
    for room in quota_rooms(pod, quotas, None):
        before, after = now.amount(room.side, room.kind), proposed.amount(room.side, room.kind)
        more = ((after or Fraction(0)) - (before or Fraction(0))) * len(workload.pods)
        if more > max(room.room, Fraction(0)):
            free, needed = amount(room.kind, max(room.room, Fraction(0))), amount(room.kind, more)
            yield f"the ResourceQuota {room.quota} has {free} of {room.resource} left; all pods need {needed} more"
