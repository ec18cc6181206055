"""The part of the guard that concerns replicas: from everything that is known about a target to what may be done.

    ScaleView --HOLDS, in order--> the first Hold, if any --> ScaleSituation with the bounded number and its rules

A hold blocks the lane: nothing is written, and the reason is in metrics, status and Events. `control.guard` then checks
what concerns every kind: mode, age of the observation, cooldown, actions an hour. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import number
from ...settings.scaling import Scaling
from ..reasons import Reason
from ..situation import RECOMMEND, Fact, Rules, ScaleSituation
from ..workload.checks import (
    check_contact,
    check_owner,
    check_rollout,
    check_stopped,
    check_trouble,
    check_unknown,
    first_hold,
)
from ..workload.hold import INTERVALS, Hold

QUORUM = 0.5  # of the ready pods, which must have sent recent signals


@dataclass(frozen=True, slots=True)
class Wish:
    """The number of replicas that the recommender wants, why, and when it was computed, in epoch seconds.

    `held` is whether facts are missing, so that the present number is wanted.
    """

    desired: int
    why: Reason
    text: str
    at: float
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleView:
    """Everything that is known about the replicas of one target.

    Attributes:
        key: kind, namespace and name of the target.
        settings: the block `spec.scaling`.
        mode: of the block, or else of the document.
        stopped: the kill switch or the pause, if it is set.
        trouble: why the target cannot be scaled at all: it cannot be read, or another monitor scales it.
        contact_age: seconds since the API server last sent something.
        replicas: `spec.replicas` of the target, and when it was read; None before that.
        wish: what the recommender wants; None before the first interval.
        unknown: a fact about the target that could not be read, such as its autoscalers.
        owner: who else sets the replicas, and may not be overruled.
        manual: a change by a person, for as long as it is respected.
        heard, expected: pods with recent signals, and pods that should have sent some.
        starting: pods that have just become ready, and have sent nothing yet.
        outdated: pods whose newest signals are from before the last change of the replicas.
        external: whether a signal that does not come from pods is known.
        rollout: what a rollout that is in progress waits for; empty without one.
        unschedulable: the number of pods that no node has room for.
        refused: why the API server refuses pods of the target that are missing; empty if it does not.
        floor: the least number of pods that the PodDisruptionBudgets allow at present.
    """

    key: str
    settings: Scaling
    mode: str
    stopped: Reason | None = None
    trouble: Hold | None = None
    contact_age: float = 0.0
    replicas: Fact[int] | None = None
    wish: Wish | None = None
    unknown: Hold | None = None
    owner: Hold | None = None
    manual: Hold | None = None
    heard: int = 0
    expected: int = 0
    starting: int = 0
    outdated: int = 0
    external: bool = False
    rollout: str = ""
    unschedulable: int = 0
    refused: str = ""
    floor: int = 0

    @property
    def current(self) -> int:
        """The observed replicas; 0 before they were read."""
        return self.replicas.value if self.replicas is not None else 0

    @property
    def bounded(self) -> int:
        """The wish within the bounds, and downward not below what disruption budgets allow; without one, `current`."""
        if self.wish is None:
            return self.current
        low, high = self.settings.min_replicas, self.settings.max_replicas
        wanted = min(max(self.wish.desired, low), high)
        if wanted >= self.current or self.settings.surface == "metric":
            return wanted
        return min(self.current, max(wanted, self.floor))

    @property
    def outside(self) -> bool:
        """Whether the observed replicas are outside of the bounds, which is corrected even without signals."""
        return not self.settings.min_replicas <= self.current <= self.settings.max_replicas


Check = Callable[[ScaleView, float], Hold | None]


def _unread(view: ScaleView, _now: float) -> Hold | None:
    return Hold(Reason.WAITING) if view.replicas is None or view.wish is None else None


def _stale(view: ScaleView, now: float) -> Hold | None:
    seen = [fact.at for fact in (view.replicas, view.wish) if fact is not None]
    return Hold(Reason.STALE) if seen and now - min(seen) > INTERVALS * view.settings.interval else None


def _off(view: ScaleView, _now: float) -> Hold | None:
    return Hold(Reason.SCALING_DISABLED) if view.current == 0 else None


def _manual(view: ScaleView, _now: float) -> Hold | None:
    return view.manual


def _quorum(view: ScaleView, _now: float) -> Hold | None:
    if view.outside or view.external or (view.heard and view.heard >= QUORUM * view.expected):
        return None
    if view.starting and not view.expected:
        return Hold(Reason.STARTING)
    if view.heard + view.outdated >= QUORUM * view.expected > 0:
        return Hold(Reason.SETTLING)
    what = f"{view.heard} of {number(view.expected, 'ready pod')} sent recent signals"
    return Hold(Reason.SIGNALS_MISSING, f"{what}; {Reason.SIGNALS_MISSING.remedy}")


def _held(view: ScaleView, _now: float) -> Hold | None:
    return Hold(view.wish.why, view.wish.text) if view.wish is not None and view.wish.held else None


def _unschedulable(view: ScaleView, _now: float) -> Hold | None:
    if view.unschedulable and view.bounded > view.current:
        what = f"{number(view.unschedulable, 'pod')} of the target: no node has room"
        return Hold(Reason.UNSCHEDULABLE, f"{what}; {Reason.UNSCHEDULABLE.remedy}")
    return None


def _refused(view: ScaleView, _now: float) -> Hold | None:
    """Hold also while nothing more is wanted, because some of the wanted pods do not exist."""
    if not view.refused or view.bounded < view.current:
        return None
    return Hold(Reason.PODS_REFUSED, f"the API server refuses new pods: {view.refused}; {Reason.PODS_REFUSED.remedy}")


def _disruption(view: ScaleView, _now: float) -> Hold | None:
    wish = view.wish
    if wish is None or view.bounded != view.current or max(wish.desired, view.settings.min_replicas) >= view.current:
        return None
    what = f"the PodDisruptionBudgets of the target need {number(view.floor, 'healthy pod')}"
    return Hold(Reason.DISRUPTION_BUDGET, f"{what}; {Reason.DISRUPTION_BUDGET.remedy}")


FACTS: tuple[Check, ...] = (check_stopped, check_trouble, check_contact, _unread, _stale, _off)
HOLDS: tuple[Check, ...] = (
    *FACTS,
    check_unknown,
    check_owner,
    _manual,
    _quorum,
    _held,
    check_rollout,
    _refused,
    _unschedulable,
    _disruption,
)
PUBLISHED: tuple[Check, ...] = (*FACTS, _quorum, _held)  # the autoscaler that reads the number decides the rest


def find_hold(view: ScaleView, now: float) -> Hold | None:
    """Return the first hold on the replicas of `view` at `now` (epoch seconds); None if they may be changed."""
    checks = PUBLISHED if view.settings.surface == "metric" else HOLDS
    return first_hold(checks, view, now)


def scale_situation(view: ScaleView, now: float) -> ScaleSituation:
    """Return what the control loop may do about the replicas of `view` at `now`, in epoch seconds."""
    settings, hold, wish = view.settings, find_hold(view, now), view.wish
    published = settings.surface == "metric" and view.mode != "observe"
    return ScaleSituation(
        key=view.key,
        replicas=view.replicas,
        desired=view.bounded,
        why=wish.why if wish is not None else Reason.WAITING,
        text=wish.text if wish is not None else "",
        rules=Rules(
            mode=RECOMMEND if published else view.mode,
            cooldown=settings.cooldown,
            max_age=INTERVALS * settings.interval,
            target=view.key,
            blocked_reason=hold.reason if hold is not None else "",
            blocked_detail=hold.explained if hold is not None else "",
            max_per_hour=settings.actions_per_hour,
            recommended_reason=Reason.PUBLISHED if published and view.mode == "act" else "",
        ),
    )
