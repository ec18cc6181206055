"""Who decides in a simulation: the recommender of the document, and the algorithm of a HorizontalPodAutoscaler."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..control.scale.facts import ScaleFacts
from ..control.scale.plan import DEFAULT_DOWN, DEFAULT_UP, ScalePlan
from ..control.scale.recommender import Recommendation, recommend
from ..control.scale.state import ScaleState, scaled
from .errors import PlantError
from .observer import SIGNALS

HOUR = 3600.0
MAX_REPLICAS = 1000  # that a simulation may have; each one costs time in each step


@dataclass(frozen=True)
class ReplicaDecision:
    """The number of replicas to set, and why."""

    desired: int
    reason: str
    text: str


class ReplicaPolicy(Protocol):
    """Decides every `interval` seconds on the number of replicas. `applied` follows each change."""

    interval: float

    def decide(self, facts: ScaleFacts) -> ReplicaDecision:
        """Return the number of replicas to set now."""
        ...

    def applied(self, before: int, after: int, at: float) -> None:
        """Take note of a change of the replicas that was made."""
        ...


class RecommenderPolicy:
    """The recommender with its state, and the limits of the guard that depend on time: cooldown and changes an hour."""

    def __init__(self, plan: ScalePlan, cooldown: float = 0.0, actions_per_hour: int | None = None) -> None:
        self.interval = plan.interval
        self._plan = plan
        self._cooldown = cooldown
        self._actions_per_hour = actions_per_hour
        self._state = ScaleState()
        self._actions: deque[float] = deque()

    def decide(self, facts: ScaleFacts) -> ReplicaDecision:
        """Return the recommendation, or the present number while a limit of the guard applies."""
        recommendation, self._state = recommend(self._plan, facts, self._state, facts.at)
        decision = _decision(recommendation)
        if decision.desired != facts.spec_replicas and (limit := self._limit(facts.at)):
            return ReplicaDecision(facts.spec_replicas, limit, limit)
        return decision

    def applied(self, before: int, after: int, at: float) -> None:
        """Record the change in the state of the recommender."""
        self._state = scaled(self._state, before, after, at)
        self._actions.append(at)

    def _limit(self, now: float) -> str:
        while self._actions and self._actions[0] <= now - HOUR:
            self._actions.popleft()
        if self._actions and now - self._actions[-1] < self._cooldown:
            return "cooldown"
        if self._actions_per_hour is not None and len(self._actions) >= self._actions_per_hour:
            return "actions_per_hour"
        return ""


def _decision(recommendation: Recommendation) -> ReplicaDecision:
    return ReplicaDecision(recommendation.desired, str(recommendation.reason), recommendation.text)


def simulated_plan(plan: ScalePlan) -> tuple[ScalePlan, Sequence[str]]:
    """Return the plan without the signals that a simulation lacks, and their names; raise PlantError without a load.

    `maxReplicas` is limited to MAX_REPLICAS.
    """
    if plan.min_replicas > MAX_REPLICAS:
        raise PlantError(
            f"minReplicas {plan.min_replicas}: a simulation has at most {MAX_REPLICAS} replicas; give fewer"
        )
    missing = tuple(signal.id for signal in plan.signals if signal.id not in SIGNALS)
    signals = tuple(signal for signal in plan.signals if signal.id in SIGNALS)
    kept = replace(plan, signals=signals, max_replicas=min(plan.max_replicas, MAX_REPLICAS))
    if not kept.loads:
        raise PlantError(
            "spec.scaling.signals: no signal that a load trace determines; add `concurrency` or `requestRate` to "
            "simulate the document"
        )
    return kept, missing


def horizontal_plan(plan: ScalePlan) -> ScalePlan:
    """Return the plan of a HorizontalPodAutoscaler with the same bounds, targets and interval."""
    return replace(plan.horizontal(), up=DEFAULT_UP, down=DEFAULT_DOWN)
