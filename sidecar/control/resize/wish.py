"""Whether the requests of one container should change, by the rules of the VPA's updater. Pure.

    request below the lower or above the upper bound               change now
    killed for its memory since the last change                    raise the memory now
    throttled by its CPU limit                                     raise the CPU now
    10 % or more away from the target, unchanged for 12 hours      change now
    anything else                                                  keep

The bounds are far apart while little is known, and the target lies between them. A container that was changed to the
target therefore keeps it until the use has changed. Each resource is decided on alone: one that follows the target of
another would change with each fluctuation. Source: vertical-pod-autoscaler/pkg/updater/priority.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf, isfinite

from ...podspec.amounts import KINDS, Kind
from ...podspec.bounds import STEPS
from ...podspec.quantity import quantity
from ...settings.resources import Resources
from ..reasons import Reason
from .recommender import ResourceRecommendation

ROUNDING = Fraction(1, 1000)  # of a step; a sum of floating-point numbers is not rounded up for less
MOVED = 0.1  # least difference from the target, as a share of the request, that is worth a change
KILLED_SECONDS = 24 * 3600.0  # an older kill is no reason to act without further evidence
AT_ONCE = frozenset((Reason.CPU_THROTTLED, Reason.POOL_SHARE))  # changes with a pace of their own: no cooldown
MOVED_SECONDS = 12 * 3600.0  # after the last change, until such a difference causes one


@dataclass(frozen=True, slots=True)
class ResizeWish:
    """The requests that a container should have, by resource, and why.

    `urgent` is whether the change does not wait for a cooldown. `target` is empty while the requests should stay.
    """

    why: Reason
    text: str
    target: Mapping[Kind, Fraction]
    urgent: bool = False


def target_of(recommendation: ResourceRecommendation, settings: Resources) -> dict[Kind, Fraction]:
    """Return the recommended requests of the resources with bounds in the document, rounded as `rounded` does."""
    kinds = [kind for kind in KINDS if kind in recommendation.target and getattr(settings, kind) is not None]
    return {kind: rounded(kind, recommendation.target[kind], settings) for kind in kinds}


def rounded(kind: Kind, amount: float, settings: Resources) -> Fraction:
    """Return `amount` rounded up to whole millicores or mebibytes, at most the maximum of the document."""
    steps = ceil(Fraction(amount) / STEPS[kind] - ROUNDING)
    bounds = getattr(settings, kind)
    most = quantity(bounds.max) if bounds is not None else None
    return min(steps * STEPS[kind], most) if most is not None else steps * STEPS[kind]


def find_wish(
    requests: Mapping[Kind, Fraction],
    recommendation: ResourceRecommendation,
    target: Mapping[Kind, Fraction],
    *,
    withheld: Collection[str] = (),
    pooled: bool = False,
    changed_at: float,
    killed_at: float,
    now: float,
) -> ResizeWish:
    """Return what a container with `requests` should have at `now`, in epoch seconds.

    A resource that is `withheld` or has no request is left alone. The CPU of a `pooled` container follows its share at
    once. `changed_at` is when the requests were changed last, or the pod was created, and `killed_at` when the
    container was killed for its memory; 0 for never.
    """
    found: dict[Kind, Reason] = {}
    for kind, value in target.items():
        request = requests.get(kind)
        if kind in withheld or not request or value == request:
            continue
        lower, upper = recommendation.lower.get(kind, 0.0), recommendation.upper.get(kind, inf)
        moved = abs(value - request) >= MOVED * request and now - changed_at >= MOVED_SECONDS
        if kind == "memory" and value > request and killed_at > max(changed_at, now - KILLED_SECONDS):
            found[kind] = Reason.OOM_KILLED
        elif kind == "cpu" and pooled:
            found[kind] = Reason.POOL_SHARE
        elif kind == "cpu" and recommendation.throttled and _outside(kind, request, lower, inf):
            found[kind] = Reason.CPU_THROTTLED
        elif _outside(kind, request, lower, upper):
            found[kind] = Reason.OUTSIDE_BOUNDS
        elif moved:
            found[kind] = Reason.TARGET_MOVED
    if not found:
        return ResizeWish(Reason.WITHIN_BOUNDS, Reason.WITHIN_BOUNDS.meaning, {})
    urgent = Reason.OOM_KILLED in found.values()
    text = "; ".join(f"{kind}: {reason.meaning}" for kind, reason in found.items())
    why = Reason.OOM_KILLED if urgent else next(iter(found.values()))
    return ResizeWish(why, text, {kind: target[kind] for kind in found}, urgent=urgent)


def _outside(kind: Kind, request: Fraction, lower: float, upper: float) -> bool:
    """Return whether a request is outside of the bounds by a whole millicore or mebibyte, or more."""
    step = STEPS[kind]
    below = request < floor(Fraction(lower) / step) * step
    return below or (isfinite(upper) and request > ceil(Fraction(upper) / step) * step)
