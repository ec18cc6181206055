"""Requests and limits for a recommendation, such that the API server accepts them and the pod keeps its class.

Each resource is fitted between bounds (`rules.py`). Then the result is checked as the API server would check it, and
what it would refuse stays as it was, with a note. Applying `adjusted` to its own result changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .amounts import GUARANTEED, KINDS, ContainerResources, Json, Kind, PodAmounts, containers_of
from .bounds import fit
from .limit_ranges import LimitRangeItem, additions, completed, limit_range_items, violations
from .notes import Note, NoteReason
from .quantity import format_quantity
from .quotas import QuotaRoom, excesses, held, missing, quota_rooms
from .rules import LARGEST, BoundedResource, ResizeRules, bounds_of
from .running import RunningPod, beyond_node, obstacles, undeclared


@dataclass(frozen=True)
class ResizeSurroundings:
    """Objects of the namespace, and facts about the running pod. `running` is None for a pod that does not exist yet.

    `limit_ranges` and `quotas` are objects of the Kubernetes API.
    """

    limit_ranges: Sequence[Json] = ()
    quotas: Sequence[Json] = ()
    running: RunningPod | None = None


@dataclass(frozen=True)
class Adjusted:
    """The requests and limits to set, and why they differ from the recommendation. Other resources stay as they are."""

    resources: ContainerResources
    notes: tuple[Note, ...] = ()


def adjusted(
    pod: Json,
    container: str,
    target: Mapping[Kind, Fraction],
    rules: ResizeRules,
    surroundings: ResizeSurroundings,
) -> Adjusted:
    """Return requests and limits of `container` for the recommended requests `target`, in cores and bytes.

    `pod` is an object, or `{"spec": ...}` of a template. The result has the requests and limits that the container
    has, with other values. The class of the pod stays. Without a `target`, a resource stays as it is.
    """
    amounts = PodAmounts.of(pod.get("spec") or {})
    own = amounts.containers.get(container)
    if own is None:
        return Adjusted(ContainerResources(), (Note(NoteReason.NOT_FOUND, f"the pod has no container {container}"),))
    plan = _Plan(pod, container, amounts, rules, surroundings)
    notes = tuple(plan.obstacles())
    return Adjusted(own, notes) if notes else plan.result(target)


class _Plan:
    """The parts of one call of `adjusted`."""

    def __init__(
        self, pod: Json, name: str, amounts: PodAmounts, rules: ResizeRules, surroundings: ResizeSurroundings
    ) -> None:
        self.pod, self.name, self.amounts, self.rules = pod, name, amounts, rules
        self.running = surroundings.running
        self.has_limit_ranges = bool(surroundings.limit_ranges)
        self.items: list[LimitRangeItem] = [*limit_range_items(surroundings.limit_ranges, "Container", "Pod")]
        self.taken = held(pod, amounts) if self.running else None
        self.rooms: list[QuotaRoom] = quota_rooms(pod, surroundings.quotas, self.taken)
        # of a new pod, the LimitRanges complete the other containers
        self.base = amounts if self.running else completed(amounts, self.items).changed(name, amounts.containers[name])

    def obstacles(self) -> Iterator[Note]:
        """Yield a note for each reason why nothing of the container may change."""
        if self.name not in self.amounts.resizable:
            yield Note(NoteReason.INIT_CONTAINER, f"the init container {self.name} ends before the pod serves")
        if self.running is not None:
            yield from obstacles(self.pod, self.amounts, self.running)
            if self.has_limit_ranges:
                yield from undeclared(self.pod, self.running)

    def result(self, target: Mapping[Kind, Fraction]) -> Adjusted:
        """Return the first acceptable change: of both resources, else of one, else none."""
        fits: dict[Kind, ContainerResources] = {}
        notes: dict[Kind, tuple[Note, ...]] = {}
        amounts = self.base
        for kind in KINDS:
            if kind in target:
                fits[kind], notes[kind] = self._fitted(amounts, kind, target[kind])
                amounts = amounts.changed(self.name, fits[kind])
        refused: list[Note] = []
        for kinds in ((*fits,), *((kind,) for kind in fits if len(fits) > 1)):
            candidate = self._combined(fits, kinds)
            found = self._refusals(candidate)
            if not found:
                kept = [note for kind in kinds for note in notes[kind]]
                return Adjusted(candidate, tuple(dict.fromkeys([*kept, *refused])))
            refused += found
        return Adjusted(self.amounts.containers[self.name], tuple(dict.fromkeys(refused)))

    def _combined(self, fits: Mapping[Kind, ContainerResources], kinds: Sequence[Kind]) -> ContainerResources:
        own = self.amounts.containers[self.name]
        for kind in kinds:
            request, limit = fits[kind].amount("requests", kind), fits[kind].amount("limits", kind)
            own = own if request is None else own.with_amounts(kind, request, limit)
        return own

    def _fitted(self, amounts: PodAmounts, kind: Kind, target: Fraction) -> tuple[ContainerResources, tuple[Note, ...]]:
        own = amounts.containers[self.name]
        subject = BoundedResource(
            self.name, kind, self._container(), amounts, self.rules, self.items, self.rooms, self.taken, self.running
        )
        if not subject.request or (kind not in own.requests and self.rules.controlled == "RequestsOnly"):
            text = f"the container {self.name} has no {kind} request, and none is added"
            return own, (Note(NoteReason.NOT_SET, text, kind),)
        if max(subject.request, own.limits.get(kind, Fraction(0))) > LARGEST:
            return own, (Note(NoteReason.REQUEST_LIMIT, f"the amounts of {kind} are too large to be compared", kind),)
        if subject.ratio is None and kind in own.limits and amounts.qos_class == GUARANTEED:
            text = "the requests of a Guaranteed pod equal its limits, which are not controlled"
            return own, (Note(NoteReason.QOS_CLASS, text, kind),)
        found = fit(kind, target, subject.ratio, bounds_of(subject))
        if found.request is None:
            return own, found.notes
        return own.with_amounts(kind, found.request, found.limit), found.notes

    def _refusals(self, candidate: ContainerResources) -> list[Note]:
        """Return why the API server would refuse the candidate; nothing for the present resources."""
        if candidate == self.amounts.containers[self.name]:
            return []
        before, after = self.amounts, self.amounts.changed(self.name, candidate)
        if self.running is None:
            before, after = completed(before, self.items), completed(after, self.items)
        notes = [*_class_and_level(before, after)]
        if self.running is not None:
            notes += additions(after, self.items)
            notes += beyond_node(after, self.running)
        notes += violations(after, self.items)
        notes += missing(after, self.rooms)
        notes += excesses(held(self.pod, after) if self.running else after, self.taken, self.rooms)
        return notes

    def _container(self) -> Json:
        return next(item for _, _, item in containers_of(self.pod["spec"]) if item.get("name") == self.name)


def _class_and_level(before: PodAmounts, after: PodAmounts) -> Iterator[Note]:
    if before.qos_class != after.qos_class:
        yield Note(NoteReason.QOS_CLASS, f"the class of the pod would change to {after.qos_class}")
    level = after.level or ContainerResources()
    for kind in KINDS:
        for name, own in after.containers.items():
            request, limit = own.amount("requests", kind), own.limits.get(kind)
            if request is not None and limit is not None and request > limit:
                text = f"the {kind} request {format_quantity(request)} of {name} exceeds its limit"
                yield Note(NoteReason.REQUEST_LIMIT, text, kind)
            if limit is not None and limit > level.limits.get(kind, limit) and name in after.regular:
                yield Note(NoteReason.POD_RESOURCES, f"the {kind} limit of {name} exceeds the limit of the pod", kind)
        total = after.group_total("requests", kind)
        if total > level.requests.get(kind, total):
            yield Note(NoteReason.POD_RESOURCES, f"the {kind} requests exceed the request of the pod", kind)
