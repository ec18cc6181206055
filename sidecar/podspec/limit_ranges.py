"""LimitRanges of a namespace, as the admission of the API server applies them to a pod, also when it is resized.

Source: plugin/pkg/admission/limitranger of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .amounts import KINDS, SIDES, Amounts, ContainerResources, Json, Kind, PodAmounts, Side, amounts_of
from .notes import Note, NoteReason
from .quantity import format_quantity


@dataclass(frozen=True)
class LimitRangeItem:
    """One entry of `limits` of a LimitRange, with the defaults that the API server completes."""

    name: str
    type: str
    least: Amounts
    most: Amounts
    ratio: Amounts
    default: Amounts
    default_request: Amounts

    def note(self, kind: Kind, text: str) -> Note:
        """Return a note that names the LimitRange."""
        return Note(NoteReason.LIMIT_RANGE, f"the LimitRange {self.name} {text}", kind)


def limit_range_items(limit_ranges: Sequence[Json], *types: str) -> Iterator[LimitRangeItem]:
    """Yield the entries for `types` (Container, Pod) of the objects `limit_ranges`."""
    for item in limit_ranges:
        for limit in (item.get("spec") or {}).get("limits") or ():
            if limit.get("type") in types:
                most, least = amounts_of(limit.get("max")), amounts_of(limit.get("min"))
                is_container = limit["type"] == "Container"
                default = {**most, **amounts_of(limit.get("default"))} if is_container else {}
                given = amounts_of(limit.get("defaultRequest"))
                yield LimitRangeItem(
                    name=str((item.get("metadata") or {}).get("name") or ""),
                    type=limit["type"],
                    least=least,
                    most=most,
                    ratio=amounts_of(limit.get("maxLimitRequestRatio")),
                    default=default,
                    default_request={**least, **default, **given} if is_container else {},
                )


def completed(pod: PodAmounts, items: Sequence[LimitRangeItem]) -> PodAmounts:
    """Return the pod with the requests and limits that the LimitRanges add to its containers."""
    for item in items:
        for name, own in pod.containers.items():
            requests = {**own.limits, **own.requests}
            added = ContainerResources({**item.default_request, **requests}, {**item.default, **own.limits})
            pod = pod.changed(name, added)
    return pod


def additions(pod: PodAmounts, items: Sequence[LimitRangeItem]) -> list[Note]:
    """Return a note for each container that is older than a LimitRange: a resize would add its defaults."""
    return [
        item.note(kind, f"would add a {side.removesuffix('s')} of {kind} to the container {name}, which has none")
        for item in items
        for name, own in pod.containers.items()
        for kind in KINDS
        for side, defaults in (("requests", item.default_request), ("limits", item.default))
        if kind in defaults and own.amount("limits" if side == "limits" else "requests", kind) is None
    ]


def violations(pod: PodAmounts, items: Sequence[LimitRangeItem]) -> list[Note]:
    """Return a note for each request or limit of the pod and its containers that the LimitRanges refuse."""
    notes = []
    for item in items:
        named: Mapping[str, Mapping[Side, Mapping[Kind, Fraction | None]]]
        if item.type == "Pod":
            named = {"the pod": {side: {kind: pod.total(side, kind) for kind in KINDS} for side in SIDES}}
        else:
            named = {
                f"the container {name}": {side: {kind: own.amount(side, kind) for kind in KINDS} for side in SIDES}
                for name, own in pod.containers.items()
            }
        for name, amounts in named.items():
            for kind in KINDS:
                text = _violation(item, kind, amounts["requests"][kind], amounts["limits"][kind])
                if text:
                    notes.append(item.note(kind, f"{text} of {name}"))
    return notes


def _violation(item: LimitRangeItem, kind: Kind, request: Fraction | None, limit: Fraction | None) -> str:
    least, most, ratio = item.least.get(kind), item.most.get(kind), item.ratio.get(kind)
    if least is not None and (request is None or request < least or (limit is not None and limit < least)):
        return f"requires at least {format_quantity(least)} as {kind}"
    if most is not None and (limit is None or limit > most or (request is not None and request > most)):
        return f"allows at most {format_quantity(most)} as {kind}"
    if ratio is not None and (not request or not limit or exceeds_ratio(request, limit, ratio)):
        return f"allows at most {format_quantity(ratio)} as the ratio of limit to request of {kind}"
    return ""


def exceeds_ratio(request: Fraction, limit: Fraction, ratio: Fraction) -> bool:
    """Return whether the server, which divides floating-point numbers, refuses the ratio of `limit` to `request`."""
    return float(limit * 1000) / float(request * 1000) * 1000 > float(ratio * 1000)
