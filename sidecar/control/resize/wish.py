"""Whether the requests of one container should change, by the rules of the VPA's updater. Pure.

    request below the lower or above the upper bound               change now
    killed for its memory since the last change                    raise the memory now
    10 % or more away from the target, unchanged for 12 hours      change now
    anything else                                                  keep

The bounds are far apart while little is known, and the target lies between them. A container that was changed to the
target therefore keeps it until the use has changed. Source: vertical-pod-autoscaler/pkg/updater/priority.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from ...settings.resources import Resources
from ..reasons import Reason
from .recommender import ResourceRecommendation

KINDS: Final = ("cpu", "memory")
STEPS: Mapping[str, Fraction] = {"cpu": Fraction(1, 1000), "memory": Fraction(2**20)}  # cores, bytes
MOVED = 0.1  # least difference from the target, as a share of the request, that is worth a change
MOVED_SECONDS = 12 * 3600.0  # after the last change, until such a difference causes one


@dataclass(frozen=True, slots=True)
class Wish:
    """The requests that a container should have, by resource, and why.

    `urgent` is whether the change does not wait for a cooldown. `target` is empty while the requests should stay.
    """

    why: Reason
    text: str
    target: Mapping[str, Fraction]
    urgent: bool = False


def target_of(recommendation: ResourceRecommendation, settings: Resources, share: float | None = None) -> dict[str, Fraction]:
    """Return the target by resource, in whole millicores and mebibytes, within the bounds of the document.

    `share` is the CPU that a pool gives to each pod, in cores; it replaces the target, and stays below it if need be.
    """
    amounts = dict(recommendation.target)
    if share is not None and "cpu" in amounts:
        amounts["cpu"] = share
    found = {}
    for name, value in amounts.items():
        bounds = getattr(settings, name)
        if bounds is None:
            continue
        step = STEPS[name]
        exact = Fraction(value) / step
        steps = int(exact) if share is not None and name == "cpu" else ceil(exact - Fraction(1, 1000))
        found[name] = min(steps * step, Fraction(bounds.max))
    return found


def find_wish(
    requests: Mapping[str, Fraction],
    recommendation: ResourceRecommendation,
    target: Mapping[str, Fraction],
    *,
    withheld: Collection[str] = (),
    pooled: bool = False,
    changed_at: float,
    killed_at: float,
    now: float,
) -> Wish:
    """Return what a container with `requests` should have at `now`, in epoch seconds.

    A resource that is `withheld` or has no request is left alone. The CPU of a `pooled` container follows its share at
    once. `changed_at` is when the requests were changed last, or the pod was created, and `killed_at` when the
    container was killed for its memory; 0 for never.
    """
    wanted = {name: value for name, value in target.items() if name not in withheld and requests.get(name)}
    for name, value in wanted.items():
        if name == "memory" and killed_at > changed_at and value > requests[name]:
            return Wish(Reason.OOM_KILLED, Reason.OOM_KILLED.meaning, wanted, urgent=True)
    for name, value in wanted.items():
        if name == "cpu" and pooled:
            if value != requests[name]:
                return Wish(Reason.POOL_SHARE, Reason.POOL_SHARE.meaning, wanted)
            continue
        lower, upper = recommendation.lower.get(name, 0.0), recommendation.upper.get(name)
        if value != requests[name] and (requests[name] < lower or (upper is not None and requests[name] > upper)):
            return Wish(Reason.OUTSIDE_BOUNDS, _explained(name, Reason.OUTSIDE_BOUNDS), wanted)
    moved = [name for name, value in wanted.items() if abs(value - requests[name]) >= MOVED * requests[name]]
    if moved and now - changed_at >= MOVED_SECONDS:
        return Wish(Reason.TARGET_MOVED, _explained(moved[0], Reason.TARGET_MOVED), wanted)
    return Wish(Reason.WITHIN_BOUNDS, Reason.WITHIN_BOUNDS.meaning, {})


def _explained(name: str, reason: Reason) -> str:
    return f"{name}: {reason.meaning}"
