"""Smoothing: fewer replicas only by the mean of the recent load, and with a headroom; more replicas at once.

A load fluctuates, even a steady one, as requests arrive at random. An HPA follows each peak of the last five minutes up
and down again. With a mean in place of each value, and a headroom that the next rise may use, the number changes less
often, and the peaks between two changes find a replica that was not removed.
"""

from __future__ import annotations

from dataclasses import replace

from .plan import ScalePlan
from .proposals import Proposal, whole, within
from .state import SignalState

HEADROOM = 0.15  # of the target, that the mean load leaves free after a decrease


def remembered(plan: ScalePlan, state: SignalState | None, proposal: Proposal, now: float) -> SignalState:
    """Return the memory of a signal after its value at the time `now`."""
    before = () if state is None else state.loads
    kept = tuple(item for item in before if now - plan.smoothing < item[0] < now)
    return SignalState(proposal.ratio, now, (*kept, (now, proposal.needed)) if plan.smoothing else ())


def smoothed(plan: ScalePlan, state: SignalState, proposal: Proposal, current: int) -> Proposal:
    """Return the proposal: an increase as it is, and a decrease as the mean of the recent loads supports it.

    It stays as it is, too, while a pod has no value: the mean does not contain the load of this pod. After a time
    without values, there is no decrease before the mean contains at least half of the time of the smoothing.
    """
    if proposal.replicas > current or not proposal.complete:
        return proposal
    if state.at - state.loads[0][0] < plan.smoothing / 2 - plan.interval:
        return replace(proposal, replicas=current)
    mean = sum(load for _, load in state.loads) / len(state.loads)
    fewer = current if within(plan, mean / current) else whole(mean / (1.0 - HEADROOM))
    return replace(proposal, replicas=min(current, fewer))
