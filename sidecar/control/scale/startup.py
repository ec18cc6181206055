"""Cold starts: how long a replica takes until it answers, and which replicas are on their way.

The time runs from the creation of a pod to its first answer, so it contains scheduling, the pull of the image and the
loading of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from .facts import PodFacts, ScaleFacts
from .plan import ScalePlan
from .state import StartupState

QUANTILE = 0.8  # of the last start-up times: one slow node in five does not change it
MOST_TIMES = 32
MOST_WAITING = 64


@dataclass(frozen=True, slots=True)
class Coming:
    """The replicas that do not answer yet.

    Attributes:
        starting: those that are expected to answer, with those that do not exist yet.
        failed: those past the deadline, of which newer ones have answered: others must take their place.
        late: those past the deadline, where no newer one has answered, so that more of them would not help.
    """

    starting: int
    failed: int
    late: int


def learned(state: StartupState, facts: ScaleFacts, now: float) -> StartupState:
    """Return the state with the start-up times of the pods that answer for the first time."""
    waiting = tuple(pod.uid for pod in facts.pods if _alive(pod) and not pod.answering)[:MOST_WAITING]
    before = set(state.waiting)
    times = [now - pod.created_at for pod in facts.pods if pod.answering and pod.uid in before]
    if not times and waiting == state.waiting:
        return state
    return StartupState((*state.times, *times)[-MOST_TIMES:], waiting)


def startup_time(plan: ScalePlan, state: StartupState) -> float:
    """Return the start-up time in seconds that four of five replicas need at most; before one is known, the assumed."""
    if not state.times:
        return plan.assumed_startup
    return sorted(state.times)[ceil(QUANTILE * len(state.times)) - 1]


def coming(plan: ScalePlan, facts: ScaleFacts, now: float) -> Coming:
    """Return the replicas of the target that do not answer."""
    alive = [pod for pod in facts.pods if _alive(pod)]
    newest = max((pod.created_at for pod in alive if pod.answering), default=0.0)
    silent = [pod for pod in alive if not pod.answering]
    late = [pod for pod in silent if now - pod.created_at > plan.startup_deadline]
    failed = sum(pod.created_at < newest for pod in late)
    missing = max(0, facts.spec_replicas - len(alive))
    return Coming(len(silent) - len(late) + missing, failed, len(late) - failed)


def _alive(pod: PodFacts) -> bool:
    return not pod.deleting and pod.phase not in ("Failed", "Succeeded")
