"""The state of the replicas for status, conditions and metrics: what is wanted, and why nothing more is done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...report.control_status import ControlStatus, IntentStatus
from ..ledger import DELIVERED
from ..reasons import Reason
from ..scale.guard import ScaleView, find_hold
from ..scale.policy import KIND
from ..situation import ACT
from ..workload.hold import Hold
from .facts import hindrance_of
from .scaling import ScalingLook

NOT_SEEN = frozenset(  # holds with which there is no desired number
    (Reason.API_SERVER_UNREACHABLE, Reason.SIGNALS_MISSING, Reason.STALE, Reason.SCALING_DISABLED, Reason.WAITING)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingFinding:
    """The replicas of a target at one moment.

    Attributes:
        current: `spec.replicas`; None before it was read.
        desired: what is wanted; None if that is not known, or too old.
        why: the reason of the recommender.
        message: why, in words.
        held: why the replicas are not changed to what is wanted; None if they are, or equal it already.
        owner: who else sets the replicas; empty without one.
        scaled_at: when they were changed last, in epoch seconds; None if never.
        at: when it was computed, in epoch seconds; 0 for never.
        published: whether another autoscaler reads the number.
        ratios: for each signal, its value relative to its target.
        problems: signals that cannot be read, and why.
    """

    current: int | None = None
    desired: int | None = None
    why: Reason = Reason.WAITING
    message: str = ""
    held: Hold | None = None
    owner: str = ""
    scaled_at: float | None = None
    at: float = 0.0
    published: bool = False
    ratios: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> Reason:
        """Why the replicas are as they are."""
        return self.held.reason if self.held is not None else self.why

    @property
    def withheld(self) -> str:
        """Why the number is not given to an autoscaler, which would act on it; empty if it is.

        A recommender without signals repeats the present number. An autoscaler should then use its own fallback.
        """
        if self.held is not None:
            return self.held.explained
        return (self.message or self.why.meaning) if self.why in NOT_SEEN else ""

    @property
    def text(self) -> str:
        """The reason in words: why they stay as they are, and else why they are wanted."""
        return "; ".join(filter(None, (self.held.explained if self.held is not None else "", self.message)))


def scaling_finding(
    view: ScaleView | None, look: ScalingLook | None, control: ControlStatus | None, now: float
) -> ScalingFinding | None:
    """Return the finding of `view` and `look` at `now` (epoch seconds); None without a block `spec.scaling`."""
    if view is None or look is None:
        return None
    intents = [item for item in control.intents if item.kind == KIND] if control is not None else []
    own = [item for item in intents if item.target == view.key]
    hold, wish = find_hold(view, now), view.wish
    fresh = wish is not None and (hold is None or hold.reason not in NOT_SEEN)
    problems = "; ".join(f"signal {name}: {text}" for name, text in sorted(look.problems.items()))
    warnings = (look.target.unseen, look.target.warning) if look.target is not None else ()
    said = wish.text if wish is not None else ""
    return ScalingFinding(
        current=view.replicas.value if view.replicas is not None else None,
        desired=view.bounded if fresh else None,
        why=wish.why if wish is not None else Reason.WAITING,
        message="; ".join(filter(None, (said, problems, *warnings))),
        held=hold or _limited(view, own),
        owner=_owner_name(view, look),
        scaled_at=next((item.changed_at for item in own if item.state == DELIVERED), None),
        at=wish.at if wish is not None else 0.0,
        published=view.settings.surface == "metric",
        ratios=look.recommendation.ratios if look.recommendation is not None and fresh else {},
        problems=look.problems,
    )


def _limited(view: ScaleView, intents: list[IntentStatus]) -> Hold | None:
    """Return why a change that no hold prevents is not made: it would not help, or mode, limit or attempt prevent it.

    `intents` are the newest first.
    """
    if view.wish is not None and view.wish.why is Reason.MORE_REPLICAS_DONT_HELP:
        return Hold(view.wish.why)
    if view.mode != ACT:
        return Hold(Reason.MODE, f"the mode is {view.mode}, so that nothing is written")
    if view.bounded == view.current or not intents or view.settings.surface == "metric":
        return None
    return hindrance_of(intents[0])


def _owner_name(view: ScaleView, look: ScalingLook) -> str:
    if view.owner is None or look.target is None or look.target.owner is None:
        return ""
    owner = look.target.owner
    return f"{owner.kind} {owner.name}".strip()
