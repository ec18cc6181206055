"""From facts to a number of replicas: autoscaling/v2 exactly, and what goes beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..reasons import Reason
from .facts import ScaleFacts
from .plan import ScalePlan
from .state import ScaleState


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The number of replicas that the target should have now.

    Attributes:
        desired: within the bounds of the plan; the present number if `held`.
        reason, text: why.
        raw: the proposal of each signal before bounds and behaviour; None if it is missing.
        ratios: of each signal, the mean value divided by its target; absent if it is missing.
        held: whether facts are missing or forbid a change, so that the present number stays.
    """

    desired: int
    reason: Reason
    text: str
    raw: Mapping[str, int | None]
    ratios: Mapping[str, float]
    held: bool = False


def recommend(plan: ScalePlan, facts: ScaleFacts, state: ScaleState, now: float) -> tuple[Recommendation, ScaleState]:
    """Return the recommendation at the time `now`, in epoch seconds, and the next state.

    Call it once each interval. Record each change that took effect with `state.scaled`.
    """
    raw = dict.fromkeys(signal.id for signal in plan.signals)
    found = Recommendation(
        desired=facts.spec_replicas,
        reason=Reason.WAITING,
        text=f"not built yet ({now:.0f})",
        raw=raw,
        ratios={},
        held=True,
    )
    return found, state
