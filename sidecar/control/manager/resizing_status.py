"""The state of the resources for status, conditions and metrics: what is recommended, and why nothing more is done.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median

from ...log import whole_second
from ...podspec.amounts import KINDS, ContainerResources, Kind
from ...podspec.bounds import STEPS
from ...podspec.quantity import format_quantity
from ...report.control_status import ControlStatus
from ...settings.status import ResourceAmounts, ResourcesStatus
from ..reasons import Reason
from ..resize.guard import ResizedPod, ResizeView, find_hold
from ..resize.policy import KIND
from ..resize.recommender import ResourceRecommendation
from ..situation import ACT
from ..workload.hold import Hold
from .facts import hindrance_of
from .resizing import ResizeLook

MAX_TEXT = 1000  # characters
MOST_EFFECTS = 3  # texts about resizes without an effect that are shown
# holds with which new pods do not get the recommendation either
NOT_GIVEN = frozenset(
    (
        Reason.API_SERVER_UNREACHABLE,
        Reason.KILL_SWITCH,
        Reason.LOW_CONFIDENCE,
        Reason.MODE,
        Reason.NOT_AUTHORIZED,
        Reason.PAUSED,
        Reason.RESIZING_ELSEWHERE,
        Reason.STALE,
        Reason.TARGET_NOT_FOUND,
        Reason.USAGE_MISSING,
        Reason.VERTICAL_AUTOSCALER,
        Reason.WAITING,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizingFinding:
    """The resources of a container at one moment.

    Attributes:
        container: its name.
        recommendation: None before it is known.
        target: the recommended requests as they would be set.
        withheld: by resource, why it is not changed.
        held: why the resources are not changed to what is recommended; None if they are, or need no change.
        why, message: the reason without a hold, and all in words.
        states: the number of pods by state.
        requests: by resource, the median request of the pods, in cores or bytes.
        resized_at: when a container was changed last, in epoch seconds; None if never.
        killed_at: when a container was killed for its memory last, in epoch seconds; 0 for never.
        pool_share: cores that a new pod may have, by its pool; None without one.
    """

    container: str
    recommendation: ResourceRecommendation | None = None
    target: Mapping[Kind, Fraction] = field(default_factory=dict)
    withheld: Mapping[str, Hold] = field(default_factory=dict)
    held: Hold | None = None
    why: Reason = Reason.WAITING
    message: str = ""
    states: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, float] = field(default_factory=dict)
    resized_at: float | None = None
    killed_at: float = 0.0
    pool_share: float | None = None

    @property
    def reason(self) -> Reason:
        """Why the resources are as they are."""
        return self.held.reason if self.held is not None else self.why

    @property
    def text(self) -> str:
        """The reason in words, and what the recommendation is from."""
        return "; ".join(filter(None, (self.held.explained if self.held is not None else "", self.message)))


def resizing_finding(
    view: ResizeView | None,
    look: ResizeLook | None,
    control: ControlStatus | None,
    resized_at: float | None,
    now: float,
) -> ResizingFinding | None:
    """Return the finding of `view` and `look` at `now` (epoch seconds); None without a block `spec.resources`."""
    if view is None or look is None:
        return None
    hold = find_hold(view, now) or _limited(view, control) or _futile(view, look)
    found = look.recommendation
    withheld = dict(view.withheld)
    if hold is not None and hold.reason in NOT_GIVEN:
        withheld = {name: withheld.get(name, hold) for name in view.resources}
    hold = hold or _blind(view) or _at_maximum(view, look)
    said = [
        *_unfinished(view),
        found.text if found is not None else "",
        look.share.text if look.share is not None else "",
        *(one.explained for one in view.withheld.values()),
        look.usage.problem,
    ]
    return ResizingFinding(
        container=look.settings.container,
        recommendation=found,
        target=look.planning.target if look.planning is not None else {},
        withheld=withheld,
        held=hold,
        why=_why(view),
        message="; ".join(
            text for text in dict.fromkeys(said) if text and (hold is None or text not in hold.explained)
        ),
        states=Counter(state_of(pod) for pod in view.pods),
        requests=_requests(view.pods),
        resized_at=resized_at,
        killed_at=look.planning.killed_at if look.planning is not None else 0.0,
        pool_share=look.share.entry if look.share is not None else None,
    )


def state_of(pod: ResizedPod) -> str:
    """Return the state of a pod in the metric pilotfish_resize_state."""
    if pod.active:
        return str(pod.progress.state) if pod.patience is not None else "proposed"
    return "held" if pod.held is not None else "wanted" if pod.wanted else "steady"


def resources_status(found: ResizingFinding) -> ResourcesStatus:
    """Return the item of `status.resources`."""
    known = found.recommendation
    states = found.states
    pending = sum(amount for state, amount in states.items() if state not in {"held", "steady"})
    return ResourcesStatus(
        container=found.container,
        target=_amounts({name: float(value) for name, value in found.target.items()}),
        lower_bound=_amounts(known.lower) if known is not None else None,
        upper_bound=_amounts(known.upper) if known is not None else None,
        uncapped=_amounts(known.uncapped) if known is not None else None,
        samples=known.samples if known is not None else 0,
        confidence=round(known.confidence_days, 2) if known is not None else 0.0,
        withheld=tuple(kind for kind in KINDS if kind in found.withheld),
        reason=found.reason.camel,
        message=found.text[:MAX_TEXT],
        resized=states.get("steady", 0),
        pending=pending,
        pool_share=_quantity("cpu", found.pool_share) if found.pool_share is not None else "",
        last_resize_time=whole_second(found.resized_at) if found.resized_at is not None else None,
    )


def _unfinished(view: ResizeView) -> Iterator[str]:
    """Yield what the nodes say about resizes that have not ended, such as that they have no room at present."""
    for pod in view.pods:
        if pod.active and pod.progress.text:
            yield f"pod {pod.name}: {pod.progress.state}: {pod.progress.text}"


def _why(view: ResizeView) -> Reason:
    if view.active is not None:
        return Reason.RESIZE_IN_PROGRESS
    return Reason.RESIZING if view.candidate is not None else Reason.WITHIN_BOUNDS


def _limited(view: ResizeView, control: ControlStatus | None) -> Hold | None:
    """Return why a change that no hold prevents is not made: the mode, a limit or a failed attempt."""
    if view.mode != ACT:
        return Hold(Reason.MODE, f"the mode is {view.mode}, so that nothing is written")
    candidate = view.candidate
    if candidate is None or view.active is not None or control is None:
        return None
    newest = next((item for item in control.intents if (item.kind, item.target) == (KIND, candidate.key)), None)
    return hindrance_of(newest) if newest is not None else None


def _blind(view: ResizeView) -> Hold | None:
    """Return that one of the resources is not measured, while nothing is to be done about the other one."""
    if view.candidate is not None or view.active is not None:
        return None
    return next((hold for hold in view.withheld.values() if hold.reason is Reason.USAGE_MISSING), None)


def _at_maximum(view: ResizeView, look: ResizeLook) -> Hold | None:
    """Return that the use asks for more than the document allows, while nothing else is to be done."""
    if look.recommendation is None or view.candidate is not None or view.active is not None:
        return None
    for kind, asked in look.recommendation.uncapped.items():
        block = getattr(look.settings, kind)
        shared = kind == "cpu" and look.share is not None
        if block is not None and asked > block.max and kind not in view.withheld and not shared:
            most = f"spec.resources.{kind}.max is {_quantity(kind, block.max)}"
            text = f"the use asks for {_quantity(kind, asked)} of {kind}, and {most}"
            return Hold(Reason.AT_MAXIMUM, f"{text}; {Reason.AT_MAXIMUM.remedy}")
    return None


def _futile(view: ResizeView, look: ResizeLook) -> Hold | None:
    """Return that a resize had no effect, while nothing else is to be done."""
    if not look.without_effect or view.candidate is not None or view.active is not None:
        return None
    return Hold(Reason.RESIZE_WITHOUT_EFFECT, "; ".join(look.without_effect[:MOST_EFFECTS]))


def _requests(pods: tuple[ResizedPod, ...]) -> dict[str, float]:
    found = [ContainerResources.of(pod.observed) for pod in pods]
    amounts = {kind: [one for pod in found if (one := pod.amount("requests", kind)) is not None] for kind in KINDS}
    return {kind: float(median(values)) for kind, values in amounts.items() if values}


def _amounts(values: Mapping[Kind, float]) -> ResourceAmounts | None:
    shown = {kind: _quantity(kind, values[kind]) for kind in KINDS if kind in values}
    return ResourceAmounts(**shown) if shown else None


def _quantity(kind: Kind, value: float) -> str:
    return format_quantity(round(Fraction(value) / STEPS[kind]) * STEPS[kind])
