"""The bounds of one resource of a container, one function a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .amounts import GUARANTEED, SIDES, Amounts, ContainerResources, Json, Kind, PodAmounts
from .bounds import STEPS, UNITS, Bound, round_up
from .limit_ranges import LimitRangeItem
from .notes import Note, NoteReason
from .quantity import format_quantity as text_of
from .quotas import QuotaRoom
from .running import LOWERS_MEMORY, RunningPod

MEMORY_MARGIN = Fraction(1, 10)
LARGEST = Fraction(2**62)  # the API server compares 64-bit integers
ControlledValues = Literal["RequestsAndLimits", "RequestsOnly"]


@dataclass(frozen=True)
class ResizeRules:
    """What the document says: (least, most) request by kind, whether limits follow, and the room above memory in use.

    `memory_margin` is a share of the working set: a memory limit is not lowered below working set and margin.
    """

    bounds: Mapping[str, tuple[Fraction, Fraction]] = field(default_factory=dict)
    controlled: ControlledValues = "RequestsAndLimits"
    memory_margin: Fraction = MEMORY_MARGIN


@dataclass(frozen=True)
class BoundedResource:
    """One resource of one container, and all that bounds it. `taken` is what quotas count of the pod, None if new."""

    name: str
    kind: Kind
    container: Json
    pod: PodAmounts
    rules: ResizeRules
    items: Sequence[LimitRangeItem]
    rooms: Sequence[QuotaRoom]
    taken: PodAmounts | None
    running: RunningPod | None

    @property
    def own(self) -> ContainerResources:
        """The present requests and limits of the container."""
        return self.pod.containers[self.name]

    @property
    def request(self) -> Fraction:
        """The present request, which is the limit if none is written."""
        return self.own.amount("requests", self.kind) or Fraction(0)

    @property
    def ratio(self) -> Fraction | None:
        """The ratio of limit to request that stays; None if the limit is missing or is not changed."""
        limit = self.own.limits.get(self.kind)
        return None if limit is None or self.rules.controlled == "RequestsOnly" else limit / self.request

    def note(self, reason: NoteReason, text: str) -> Note:
        """Return a note about this resource."""
        return Note(reason, text, self.kind)


def bounds_of(subject: BoundedResource) -> Iterator[Bound]:
    """Yield all bounds of the resource."""
    for rule in (_document, _fixed_limit, _limit_ranges, _quotas, _pod_level, _node, _memory_in_use):
        yield from rule(subject)


def _document(subject: BoundedResource) -> Iterator[Bound]:
    step = STEPS[subject.kind]
    note = subject.note(NoteReason.REQUEST_LIMIT, f"a request is at least {text_of(step)} of {subject.kind}")
    yield Bound("requests", is_most=False, value=step, note=note, silent=True)
    for side in SIDES:
        note = subject.note(NoteReason.REQUEST_LIMIT, f"amounts beyond {text_of(LARGEST)} cannot be compared")
        yield Bound(side, is_most=True, value=LARGEST, note=note)
    if subject.kind in subject.rules.bounds:
        least, most = subject.rules.bounds[subject.kind]
        unit = UNITS[subject.kind]
        least = min(least, most // unit * unit)  # equal bounds between two units do not exclude each other
        text = f"the document bounds the request of {subject.kind} by {text_of(least)} and {text_of(most)}"
        note = subject.note(NoteReason.REQUEST_LIMIT, text)
        yield Bound("requests", is_most=False, value=least, note=note, silent=True)
        yield Bound("requests", is_most=True, value=most, note=note, silent=True)


def _fixed_limit(subject: BoundedResource) -> Iterator[Bound]:
    """A limit that stays: no larger request, and one smaller if the pod would become Guaranteed."""
    limit = subject.own.limits.get(subject.kind)
    if limit is None or subject.ratio is not None:
        return
    equal = subject.pod.changed(subject.name, subject.own.with_amounts(subject.kind, limit, None))
    if equal.qos_class == GUARANTEED:
        note = subject.note(NoteReason.QOS_CLASS, "a request equal to the limit would make the pod Guaranteed")
        yield Bound("requests", is_most=True, value=limit - UNITS[subject.kind], note=note)
    else:
        text = f"the {subject.kind} limit {text_of(limit)} is not controlled, and a request may not exceed it"
        yield Bound("requests", is_most=True, value=limit, note=subject.note(NoteReason.REQUEST_LIMIT, text))
    for item in subject.items:
        ratio = item.ratio.get(subject.kind) if item.type == "Container" else None
        if ratio:
            note = item.note(subject.kind, f"allows at most {text_of(ratio)} as the ratio of limit to request")
            yield Bound("requests", is_most=False, value=limit / ratio, note=note)


def _limit_ranges(subject: BoundedResource) -> Iterator[Bound]:
    kind = subject.kind
    for item in subject.items:
        for side in SIDES:
            if item.type == "Pod" and _is_at_pod_level(subject.pod, side, kind):
                continue
            others = subject.pod.others(subject.name, side, kind) if item.type == "Pod" else Fraction(0)
            what = f"{kind} of a {item.type.lower()}"
            if kind in item.least:
                note = item.note(kind, f"requires at least {text_of(item.least[kind])} of {what}")
                yield Bound(side, is_most=False, value=item.least[kind] - others, note=note)
            if kind in item.most:
                note = item.note(kind, f"allows at most {text_of(item.most[kind])} of {what}")
                yield Bound(side, is_most=True, value=item.most[kind] - others, note=note)


def _quotas(subject: BoundedResource) -> Iterator[Bound]:
    counted = subject.taken or subject.pod
    for room in subject.rooms:
        if room.kind == subject.kind and not _is_at_pod_level(subject.pod, room.side, room.kind):
            others = counted.others(subject.name, room.side, room.kind) + counted.overhead.get(room.kind, Fraction(0))
            present = counted.containers[subject.name].amount(room.side, room.kind) or Fraction(0)
            free = max(room.room - others, present)
            note = room.note(f"leaves {text_of(free)} of {room.resource} to the container {subject.name}")
            yield Bound(room.side, is_most=True, value=free, note=note)


def _pod_level(subject: BoundedResource) -> Iterator[Bound]:
    level, kind = subject.pod.level or ContainerResources(), subject.kind
    if kind in level.requests:
        free = level.requests[kind] - subject.pod.others(subject.name, "requests", kind)
        text = f"the {kind} request {text_of(level.requests[kind])} of the pod leaves {text_of(free)} to the container"
        yield Bound("requests", is_most=True, value=free, note=subject.note(NoteReason.POD_RESOURCES, text))
    if kind in level.limits:
        text = f"the {kind} limit of the pod is {text_of(level.limits[kind])}"
        note = subject.note(NoteReason.POD_RESOURCES, text)
        yield Bound("limits", is_most=True, value=level.limits[kind], note=note)


def _node(subject: BoundedResource) -> Iterator[Bound]:
    allocatable: Amounts = subject.running.allocatable if subject.running else {}
    if subject.kind in allocatable and not _is_at_pod_level(subject.pod, "requests", subject.kind):
        most = allocatable[subject.kind]
        others = subject.pod.others(subject.name, "requests", subject.kind)
        text = f"the node has {text_of(most)} of {subject.kind} for pods"
        value = most - others - subject.pod.overhead.get(subject.kind, Fraction(0))
        yield Bound("requests", is_most=True, value=value, note=subject.note(NoteReason.NODE_CAPACITY, text))


def _memory_in_use(subject: BoundedResource) -> Iterator[Bound]:
    """A limit of memory is lowered only where the server can, and stays above the working set."""
    limit, running = subject.own.limits.get("memory"), subject.running
    if subject.kind != "memory" or limit is None or running is None or subject.ratio is None:
        return
    restarts = any(
        item.get("resourceName") == "memory" and item.get("restartPolicy") == "RestartContainer"
        for item in subject.container.get("resizePolicy") or ()
    )
    if not restarts and (running.version or (0, 0)) < LOWERS_MEMORY:
        least, reason = limit, NoteReason.SERVER_VERSION
        text = "an API server before 1.34 lowers a memory limit only with a restart of the container"
    elif running.working_set is None:
        least, reason = limit, NoteReason.MEMORY_IN_USE
        text = "the memory in use is unknown, so the limit is not lowered"
    else:
        least = round_up(running.working_set * (1 + subject.rules.memory_margin), STEPS["memory"])
        reason = NoteReason.MEMORY_IN_USE
        text = f"the container uses {text_of(running.working_set)} of memory"
    yield Bound("limits", is_most=False, value=min(limit, least), note=subject.note(reason, text))


def _is_at_pod_level(pod: PodAmounts, side: str, kind: Kind) -> bool:
    """Return whether the pod's own amount replaces the sum of its containers."""
    level = pod.level or ContainerResources()
    return kind in (level.limits if side == "limits" else level.requests)
