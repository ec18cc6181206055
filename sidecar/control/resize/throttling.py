"""More CPU for a container that its CPU limit throttles now, and for how long. Pure.

    throttled sample --its request in force, STEP times--> a step, until a larger use is seen, or in vain for RECENT
    samples of the last RECENT to 2 RECENT --the greatest, with ROOM or the margin--> the least request
    throttled below the limit --that request, RETRY times, for a day--> the least request

A limit hides the use above it, so a throttled sample only says that the demand is larger. `HistogramState.uncensored`
estimates what the demand of hours and days needs. Here is what the present needs, which a percentile leaves out. A step
starts from the request that the throttled pod has. A pod that has not been resized yet therefore asks for nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from .histogram import RATIO
from .plan import ResizePlan
from .samples import EXPIRY, IN_A_ROW
from .state import HiddenDemand, ResizeState
from .usage import AT_LIMIT, ContainerUsage

STEP = 2.0  # these were chosen on the tuning traces: docs/resizing-measured.md
RECENT = 600.0  # seconds
ROOM = 1.1  # least limit, as a multiple of this use; a use above AT_LIMIT of the limit would count as throttled
RETRY = 1.4  # of a request that failed: between it, and STEP times it
RETRY_SECONDS = 86400.0  # until a request that failed may be tried again
INFERRED = f"inferred from a use of {AT_LIMIT:.0%} of the limit or more"
MEASURED = "as measured"


def with_throttling(
    state: ResizeState, plan: ResizePlan, usages: Sequence[ContainerUsage], now: float, *, asking: bool
) -> ResizeState:
    """Return the state with the CPU that throttling asks for at `now`, in epoch seconds.

    `usages` are part of `state` already. `asking` is whether throttled samples ask for more.
    """
    if not plan.raises:
        return _without(state)
    newest = [one for one in usages if one.container == plan.container and _is_newest(one, state)]
    held = [one for one in newest if _is_held(one, state)] if asking else []
    if not held and not remembered(state.throttling, now):
        return replace(state, throttling=HiddenDemand()) if state.throttling.at else state
    found = _stepped(state.throttling, plan, held, now) if held else state.throttling
    needed = [_needed(one) for one in newest]
    found = _followed(found, needed, now)
    if found.step and _is_over(found, plan, state, zip(newest, needed, strict=True), now):
        found = replace(found, step=0, level=0)
    if not held:
        return replace(state, throttling=found)
    pods = {uid: replace(pod, throttled=0) if pod.throttled else pod for uid, pod in state.pods.items()}
    return replace(state, throttling=found, pods=pods)


def remembered(throttling: HiddenDemand, now: float) -> bool:
    """Return whether the container was throttled lately, so that the request follows what the limit may hide."""
    return throttling.at > 0 and now - throttling.at < EXPIRY


def least_cpu(throttling: HiddenDemand, plan: ResizePlan, now: float) -> float:
    """Return the least request in millicores that throttling asks for; 0 without one."""
    if not plan.raises or not remembered(throttling, now):
        return 0.0
    room = max(ROOM, 1 + plan.resources["cpu"].margin)
    followed = max(throttling.peak, throttling.before) * room if plan.follows else 0.0
    again = RETRY * throttling.failed if _is_failed(throttling, now) else 0.0
    return max(throttling.step, followed, again)


def _without(state: ResizeState) -> ResizeState:
    if state.throttling.at or state.cpu.censored:
        return replace(state, throttling=HiddenDemand(), cpu=replace(state.cpu, censored=()))
    return state


def _is_newest(usage: ContainerUsage, state: ResizeState) -> bool:
    pod = state.pods.get(usage.pod_uid)
    return pod is not None and usage.cpu_cores is not None and usage.at == pod.cpu_at


def _is_held(usage: ContainerUsage, state: ResizeState) -> bool:
    """Return whether a sample asks for more: at once if it is at the limit, else if it is not the first one."""
    return state.pods[usage.pod_uid].throttled >= (1 if usage.at_limit else IN_A_ROW)


def _stepped(found: HiddenDemand, plan: ResizePlan, held: Sequence[ContainerUsage], now: float) -> HiddenDemand:
    """Return it after a step. `failed` is of those that were throttled below their limit."""
    wanted = min(max(map(_request, held)) * STEP, plan.resources["cpu"].most)
    found = replace(
        found,
        at=now,
        step=max(found.step, int(wanted * 1000)),
        level=max(found.level, *map(_needed, held)),
        inferred=all(one.throttled_ratio is None for one in held),
    )
    failed = [int(_request(one) * 1000) for one in held if not one.at_limit]
    if not failed:
        return found
    return replace(found, failed=max((*failed, found.failed if _is_failed(found, now) else 0)), failed_at=now)


def _is_failed(found: HiddenDemand, now: float) -> bool:
    return 0 <= now - found.failed_at < RETRY_SECONDS


def _followed(found: HiddenDemand, needed: Sequence[int], now: float) -> HiddenDemand:
    """Return it with the greatest use of this period and the one before."""
    age = now - found.since
    if not 0 <= age < 2 * RECENT:
        found = replace(found, since=now, peak=0, before=0)
    elif age >= RECENT:
        found = replace(found, since=now, peak=0, before=found.peak)
    return replace(found, peak=max((found.peak, *needed)))


def _is_over(
    found: HiddenDemand,
    plan: ResizePlan,
    state: ResizeState,
    newest: Iterable[tuple[ContainerUsage, int]],
    now: float,
) -> bool:
    """Return whether the step is over: a use above the throttled ones is measured, or it was in vain.

    It is not in vain as long as the percentile of the demand is not known without it.
    """
    least = RATIO * found.level
    if any(needed > least and not usage.throttled for usage, needed in newest):
        return True
    return now - found.at >= RECENT and state.cpu.uncensored()[1] <= 1 - plan.resources["cpu"].target


def _request(usage: ContainerUsage) -> float:
    return usage.cpu_request or usage.cpu_cores or 0.0


def _needed(usage: ContainerUsage) -> int:
    """Return the request in millicores with which the limit would equal the use, at the ratio in force."""
    used = usage.cpu_cores or 0.0
    return int(1000 * (used * usage.cpu_request / usage.cpu_limit if usage.cpu_request and usage.cpu_limit else used))
