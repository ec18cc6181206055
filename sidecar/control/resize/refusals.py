"""Which part of a change of resources repeats what the API server or the node has refused. Pure.

    the message names a resource that lacks room      that resource, if it grows to as much again
    it names a manager of exclusive CPUs or memory    that resource, whatever the amount
    another message of a node that can never do it    each resource that was changed, whatever the amount
    any other refusal                                 each resource that was changed, to as much or further

Messages of Kubernetes 1.36: kubelet/allocation/handlers.go, kubelet/lifecycle/predicate.go and the plug-in podresize.
Those of a node before 1.36 that is too small begin with "Node didn't have enough capacity".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ...podspec.amounts import KINDS, SIDES, Kind
from ...podspec.quantity import quantity
from ..reasons import Reason

Shown = Mapping[str, Mapping[str, str]]  # requests and limits as in an intent

_LACKS = re.compile(r"\b(cpu|memory), requested: ")
_MANAGED: Mapping[Kind, re.Pattern[str]] = {
    "cpu": re.compile(r"CPU Manager policy"),
    "memory": re.compile(r"Memory Manager policy|containers with swap"),
}


@dataclass(frozen=True, slots=True)
class RefusedResize:
    """Amounts that the API server or the node refused at the time `at` in epoch seconds, and why."""

    amounts: Shown
    at: float
    reason: str
    text: str

    def repeated(self, wanted: Shown, present: Shown) -> frozenset[Kind]:
        """Return the resources of which a change from `present` to `wanted` would be refused again."""
        lacks = frozenset(_LACKS.findall(self.text))
        managed = frozenset(kind for kind, pattern in _MANAGED.items() if pattern.search(self.text))
        named, never = lacks | managed, self.reason == Reason.RESIZE_INFEASIBLE and not lacks
        return frozenset(
            kind
            for kind in KINDS
            if (not named or kind in named)
            and any(
                never or _goes_as_far(want, refused, has)
                for want, refused, has in _triples(kind, wanted, self.amounts, present)
                if want != has and refused != has
            )
        )


def _goes_as_far(wanted: Fraction, refused: Fraction, present: Fraction) -> bool:
    """Return whether an amount would change in the direction that was refused, to as much or further."""
    return wanted >= refused > present if refused > present else wanted <= refused < present


def _triples(kind: Kind, *blocks: Shown) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
    """Yield the amounts of one resource in three blocks, request and limit, where all three have it."""
    for side in SIDES:
        found = [quantity((block.get(side) or {}).get(kind)) for block in blocks]
        first, second, third = found
        if first is not None and second is not None and third is not None:
            yield first, second, third
