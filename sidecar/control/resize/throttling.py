"""More CPU for a container that its CPU limit throttles. Pure.

    two throttled samples of a pod in a row --its request in force, STEP times--> the least request of all pods
    KEPT half-lives without a step --greatest use since then, with a margin--> a lower one

A limit hides the use above it, so a throttled sample only says that the demand is at least this much. The histogram of
such samples rises by the margin at a time, or not at all where the limit is above the request. A step starts from the
request that the throttled pod has. A pod that has not been resized yet therefore asks for nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from .plan import ResizePlan
from .samples import IN_A_ROW, MAX_CORES
from .state import Raised, ResizeState
from .usage import AT_LIMIT, ContainerUsage

STEP = 2.0  # chosen with KEPT on the tuning half of the traces: docs/resizing-measured.md
KEPT = 1.0  # half-lives without a step, until the request follows the greatest use of this time
ROOM = 1.1  # least limit, as a multiple of this use; a use above AT_LIMIT of the limit would count as throttled
INFERRED = f"inferred from a use of {AT_LIMIT:.0%} of the limit or more"
MEASURED = "as measured"


def with_throttling(
    state: ResizeState, plan: ResizePlan, usages: Sequence[ContainerUsage], latency: float | None, now: float
) -> ResizeState:
    """Return the state with the CPU that throttling asks for at `now`, in epoch seconds.

    `usages` are part of `state` already. `latency` is the quantile that the document names, in seconds.
    """
    if not plan.raises:
        return replace(state, raised=Raised()) if state.raised.cpu else state
    own = [one for one in usages if one.container == plan.container]
    slow = plan.latency is None or (latency is not None and latency > plan.latency)
    held = [one for one in own if _held_back(one, state)] if slow else []
    if held:
        return _stepped(state, plan, held, now)
    return replace(state, raised=_followed(state.raised, plan, own, now)) if state.raised.cpu else state


def _held_back(usage: ContainerUsage, state: ResizeState) -> bool:
    pod = state.pods.get(usage.pod_uid)
    return pod is not None and pod.throttled >= IN_A_ROW and usage.at == pod.cpu_at


def _stepped(state: ResizeState, plan: ResizePlan, held: Sequence[ContainerUsage], now: float) -> ResizeState:
    """Return the state after a step; the next one needs two more throttled samples."""
    base = max(one.cpu_request or one.cpu_cores or 0.0 for one in held)
    wanted = min(base * STEP, plan.resources["cpu"].most)
    raised = Raised(
        cpu=max(state.raised.cpu, int(wanted * 1000)),
        since=now,
        inferred=all(one.throttled_ratio is None for one in held),
    )
    pods = {uid: replace(pod, throttled=0) if pod.throttled else pod for uid, pod in state.pods.items()}
    return replace(state, raised=raised, pods=pods)


def _followed(raised: Raised, plan: ResizePlan, usages: Sequence[ContainerUsage], now: float) -> Raised:
    """Return what is kept of a step: after a time without another one, what the greatest use needs."""
    peak = max((raised.peak, *(int(_needed(one) * 1000) for one in usages)))
    if now - raised.since < KEPT * plan.half_life("cpu"):
        return replace(raised, peak=peak)
    kept = min(raised.cpu, int(peak * max(ROOM, 1 + plan.resources["cpu"].margin)))
    return Raised(kept, now, 0, raised.inferred)


def _needed(usage: ContainerUsage) -> float:
    """Return the request in cores with which the limit would equal the use, at the ratio in force."""
    used = usage.cpu_cores if usage.cpu_cores is not None and 0 <= usage.cpu_cores <= MAX_CORES else 0.0
    return used * usage.cpu_request / usage.cpu_limit if usage.cpu_request and usage.cpu_limit else used
