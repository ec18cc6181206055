"""The part of the guard that concerns resources: from everything known about a target to the one change allowed now.

    ResizeView --HOLDS, in order--> the first Hold, if any --+
               --candidates, one pod at a time---------------+--> ResizeSituation with one change and its rules

A hold blocks the lane: nothing is written, and the reason is in metrics, status and Events. One pod is resized at a
time, and the next one follows when the node has made the resize. A resize that the node does not make is taken back,
which only the holds of FACTS prevent. `control.guard` then checks what concerns every kind: mode, cooldown, actions an
hour. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite

from ...errors import number
from ...settings.resources import Resources
from ..reasons import Reason
from ..situation import Fact, ResizeChange, ResizeSituation, Rules
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
from .progress import ResizeProgress
from .wish import AT_ONCE

RETRY_SECONDS = 1800.0  # after a resize was taken back, until the pod is resized to as much again


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a resize may stay in a state: in seconds until it holds the other pods, and until it is taken back."""

    hold: float
    revert: float
    reason: Reason


# by the state of a resize, alphabetically; a resize in another state does not delay the next pod
PATIENCE: Mapping[str, Patience] = {
    "deferred": Patience(600.0, 1800.0, Reason.RESIZE_DEFERRED),
    "error": Patience(120.0, 600.0, Reason.RESIZE_SLOW),
    "in_progress": Patience(300.0, 1800.0, Reason.RESIZE_SLOW),
    "infeasible": Patience(0.0, 0.0, Reason.RESIZE_INFEASIBLE),
    "proposed": Patience(120.0, 1800.0, Reason.RESIZE_SLOW),
}
TAKEN_BACK = frozenset(patience.reason for patience in PATIENCE.values())  # reasons of a change that takes one back


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizedPod:
    """One pod as the guard sees it; with the method `rollout`, the template of the target.

    Attributes:
        key: the key of the intents for it.
        observed: requests and limits of the container, as in an intent.
        desired: what the container should have; `observed` if it stays.
        why, text: why it should have that, or why it stays.
        urgent: whether it is changed before all others, without a cooldown: it was killed for its memory.
        held: why it stays although something else is recommended; None if it does not, or nothing else is.
        progress: of its last resize.
        since: when the state of this resize began, in epoch seconds; infinity if that is not known.
        revert: what it had before an own resize that is in progress; None if somebody else has resized it.
        settling: whether an own change is too recent to be visible in `observed`.
        unready: whether it is not ready since an own resize.
        restarts: whether the change to `desired` restarts the container.
    """

    key: str
    name: str
    observed: Mapping[str, Mapping[str, str]]
    desired: Mapping[str, Mapping[str, str]]
    why: Reason
    text: str = ""
    urgent: bool = False
    held: Hold | None = None
    progress: ResizeProgress
    since: float = inf
    revert: Mapping[str, Mapping[str, str]] | None = None
    settling: bool = False
    unready: bool = False
    restarts: bool = False

    @property
    def wanted(self) -> bool:
        """Whether something else is wanted than what it has."""
        return self.desired != self.observed

    @property
    def patience(self) -> Patience | None:
        """The bounds of its resize in progress; None without one."""
        return PATIENCE.get(self.progress.state)

    @property
    def active(self) -> bool:
        """Whether a resize of it has not ended, so that no other pod is resized.

        One of somebody else counts only if its begin is known and the node can make it: another might never end.
        """
        ends = isfinite(self.since) and self.progress.state != "infeasible"
        return self.settling or (self.patience is not None and (ends or self.revert is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeView:
    """Everything that is known about the resources of one target.

    Attributes:
        key: kind, namespace and name of the target.
        settings: the block `spec.resources`.
        mode: of the block, or else of the document.
        stopped: the kill switch or the pause, if it is set.
        trouble: why the target cannot be resized at all: it cannot be read, or another monitor resizes it.
        contact_age: seconds since the API server last sent something.
        at: when the recommendation was computed, in epoch seconds; None before the first one.
        unknown: a fact about the target that could not be read, such as its autoscalers.
        owner: who else sets the resources.
        unsure: why there is no recommendation to act on, such as missing usage.
        withheld: by resource, why it is not changed.
        rollout: what a rollout that is in progress waits for; empty without one.
        unschedulable: the number of pods that no node has room for.
        pods: the running pods with the container; with the method `rollout`, the template alone.
    """

    key: str
    settings: Resources
    mode: str
    stopped: Reason | None = None
    trouble: Hold | None = None
    contact_age: float = 0.0
    at: float | None = None
    unknown: Hold | None = None
    owner: Hold | None = None
    unsure: Hold | None = None
    withheld: Mapping[str, Hold] = field(default_factory=dict)
    rollout: str = ""
    unschedulable: int = 0
    pods: tuple[ResizedPod, ...] = ()

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources with bounds in the document."""
        return tuple(name for name in ("cpu", "memory") if getattr(self.settings, name) is not None)

    @property
    def active(self) -> ResizedPod | None:
        """The pod whose resize has not ended; None without one."""
        return next((pod for pod in self.pods if pod.active), None)

    @property
    def candidate(self) -> ResizedPod | None:
        """The pod to change next: urgent ones first, then those that are not ready since a resize; None without one.

        A container that is still starting after a resize is not restarted again, unless it was killed for its memory.
        """
        free = (pod for pod in self.pods if pod.wanted and not pod.active)
        able = (pod for pod in free if pod.urgent or not (pod.unready and pod.restarts))
        return min(able, key=lambda pod: (not pod.urgent, not pod.unready, pod.name), default=None)


Check = Callable[[ResizeView, float], Hold | None]


def _unread(view: ResizeView, _now: float) -> Hold | None:
    return Hold(Reason.WAITING) if view.at is None else None


def _stale(view: ResizeView, now: float) -> Hold | None:
    old = view.at is not None and now - view.at > INTERVALS * view.settings.interval
    return Hold(Reason.STALE) if old else None


def _withheld(view: ResizeView, _now: float) -> Hold | None:
    """Hold if every resource of the document is withheld; otherwise the others are resized."""
    names = view.resources
    return view.withheld[names[0]] if names and all(name in view.withheld for name in names) else None


def _absent(view: ResizeView, _now: float) -> Hold | None:
    return Hold(Reason.NO_PODS) if not view.pods else None


def _unsure(view: ResizeView, _now: float) -> Hold | None:
    """Hold without a recommendation to act on; a container that was killed for its memory gets more all the same."""
    candidate = view.candidate
    return None if candidate is not None and candidate.urgent else view.unsure


def _unschedulable(view: ResizeView, _now: float) -> Hold | None:
    if not view.unschedulable:
        return None
    what = f"{number(view.unschedulable, 'pod')} of the target: no node has room"
    return Hold(Reason.UNSCHEDULABLE, f"{what}; nothing is resized before they have one")


def _stuck(view: ResizeView, now: float) -> Hold | None:
    """Hold while a resize takes too long; an urgent one does not wait for a resize that the node deferred."""
    candidate = view.candidate
    for pod in view.pods:
        patience, progress = pod.patience, pod.progress
        if patience is None or not pod.active or now - pod.since < patience.hold:
            continue
        if progress.state == "deferred" and candidate is not None and candidate.urgent:
            continue
        why = "; ".join(filter(None, (progress.text, patience.reason.meaning, patience.reason.remedy)))
        return Hold(patience.reason, f"pod {pod.name}: {why}")
    return None


def _unready(view: ResizeView, _now: float) -> Hold | None:
    """Hold while another pod is not ready since its resize: the next one could end the service.

    A kill for memory does not wait, and neither does CPU that is lacking, if no container restarts for it.
    """
    candidate = view.candidate
    unready = next((pod for pod in view.pods if pod.unready and pod is not candidate), None)
    if unready is None or not any(pod.wanted for pod in view.pods):
        return None
    if candidate is not None and (candidate.urgent or (candidate.why in AT_ONCE and not candidate.restarts)):
        return None
    reason = Reason.POD_NOT_READY
    return Hold(reason, f"pod {unready.name}: {reason.meaning}; {reason.remedy}")


def _kept(view: ResizeView, _now: float) -> Hold | None:
    """Hold if no pod may be changed, and something prevents the change of at least one."""
    if view.candidate is not None or view.active is not None:
        return None
    return next((pod.held for pod in view.pods if pod.held is not None), None)


# holds without a refused intent
QUIET = frozenset((Reason.LOW_CONFIDENCE, Reason.NO_PODS, Reason.POD_NOT_READY, Reason.USAGE_MISSING, Reason.WAITING))
FACTS: tuple[Check, ...] = (check_stopped, check_trouble, check_contact, _unread, _stale, check_unknown, check_owner)
HOLDS: tuple[Check, ...] = (*FACTS, _withheld, _absent, _unsure, check_rollout, _unschedulable, _stuck, _unready, _kept)


def find_hold(view: ResizeView, now: float) -> Hold | None:
    """Return the first hold on the resources of `view` at `now` (epoch seconds); None if they may be changed."""
    return first_hold(HOLDS, view, now)


def find_revert(view: ResizeView, now: float) -> ResizedPod | None:
    """Return the pod whose own resize the node does not make, so that it is taken back; None without one."""
    for pod in view.pods:
        patience = pod.patience
        if pod.revert is None or patience is None or pod.settling:
            continue
        if pod.revert != pod.observed and now - pod.since >= patience.revert:
            return pod
    return None


def resize_situation(view: ResizeView, now: float) -> ResizeSituation:
    """Return what the control loop may do about the resources of `view` at `now`, in epoch seconds."""
    reverted = find_revert(view, now)
    if reverted is not None:
        rules = replace(_rules(view, first_hold(FACTS, view, now)), cooldown=0.0, max_per_hour=inf)
        return ResizeSituation(change=_taken_back(reverted, now), rules=rules)
    hold, pod = find_hold(view, now), view.candidate
    if hold is not None and hold.reason in QUIET:
        pod = None
    waits = view.active is not None and hold is None and not (pod is not None and _passes(view, pod))
    if pod is None or waits:
        return ResizeSituation(change=None, rules=_rules(view, hold))
    change = ResizeChange(
        key=pod.key, observed=Fact(pod.observed, now), desired=pod.desired, why=pod.why, text=pod.text
    )
    rules = _rules(view, hold)
    at_once = pod.urgent or pod.why in AT_ONCE
    return ResizeSituation(change=change, rules=replace(rules, cooldown=0.0) if at_once else rules)


def _passes(view: ResizeView, pod: ResizedPod) -> bool:
    """Return whether `pod` does not wait for the resizes in progress: it is urgent, and the nodes deferred them."""
    return pod.urgent and all(one.progress.state == "deferred" for one in view.pods if one.active)


def _taken_back(pod: ResizedPod, now: float) -> ResizeChange:
    reason = pod.patience.reason if pod.patience is not None else Reason.RESIZE_SLOW
    why = "; ".join(filter(None, (reason.meaning, pod.progress.text)))
    return ResizeChange(
        key=pod.key, observed=Fact(pod.observed, now), desired=pod.revert, why=reason, text=f"{why}; it is taken back"
    )


def _rules(view: ResizeView, hold: Hold | None) -> Rules:
    settings = view.settings
    return Rules(
        mode=view.mode,
        cooldown=settings.cooldown,
        max_age=INTERVALS * settings.interval,
        target=view.key,
        blocked_reason=hold.reason if hold is not None else "",
        blocked_detail=hold.explained if hold is not None else "",
        max_per_hour=settings.actions_per_hour,
        counts_lane=True,
    )
