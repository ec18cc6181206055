"""Changes of the replicas by others after a write of the controller: by a person, or by a loop that reverts.

A manual change is held for `spec.scaling.manualHold`, then scaling continues from it. A client that keeps setting the
replicas back to one number is an owner: the controller stops, instead of fighting it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ...errors import quote_value
from ..reasons import Reason
from ..workload.appliers import is_loop
from ..workload.field_owner import FieldOwner
from .target import TargetFacts

REVERTS = 2  # times that a loop sets one number, until it counts as an owner
REVERTS_OF_OTHERS = 3  # the same for a client that may be a person
OLDEST_FACTS = 120.0  # seconds; a write that is later than facts by more shows that the clock was set back
REVERTS_COUNTED = 86_400.0  # seconds; older changes do not count, so that one attempt a day remains


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """A write of the controller that was delivered: the replicas before and after, at an epoch second."""

    before: int
    after: int
    at: float


@dataclass(frozen=True, slots=True)
class ManualChange:
    """The replicas that another client set after the last write of the controller, at an epoch second.

    `manager` is the field manager of the client, empty if it is unknown. `after` is the epoch second of that write.
    """

    replicas: int
    manager: str
    at: float
    after: float = 0.0

    def held_for(self, hold: float, now: float) -> float:
        """Return for how many more seconds a change is held that is held for `hold` seconds; 0 if that has ended."""
        return max(0.0, min(self.at, now) + hold - now)


def manual_change(writes: Sequence[OwnWrite], facts: TargetFacts, previous: ManualChange | None) -> ManualChange | None:
    """Return the change of the replicas by another client since the last of `writes`; None if there is none.

    `writes` are in order of time; those before the target was created do not count. `previous` is the result for the
    last observation. It keeps the time of a change, since the API server records none for a write of the scale
    subresource, such as that of `kubectl scale`. A number that nobody set, since a manifest lost the field, is none.
    """
    last = writes[-1] if writes and writes[-1].at >= facts.created_at else None
    if last is None or facts.default or any(writer.own for writer in facts.writers):
        return None
    if facts.spec_replicas == last.after and not facts.writers:
        return None  # with a writer, others changed the number and then set it again, since only a change is recorded
    if 0 <= last.at - facts.at <= OLDEST_FACTS:
        return None  # seen before the write
    writer = facts.last_writer
    found = ManualChange(facts.spec_replicas, writer.manager if writer else "", facts.at, last.at)
    if writer is not None and writer.at is not None:
        return replace(found, at=min(max(writer.at, last.at), facts.at))
    return previous if previous is not None and replace(previous, at=found.at) == found else found


def blocking_owner(writes: Sequence[OwnWrite], facts: TargetFacts, *, take_ownership: bool) -> FieldOwner | None:
    """Return the owner of the replicas because of which nothing is written; None if there is none.

    `take_ownership` overrides an owner that yields, but not a client that then keeps setting the replicas back.
    """
    if facts.owner is not None and not (take_ownership and facts.owner.yields):
        return facts.owner
    return reverting_owner(writes, facts)


def reverting_owner(writes: Sequence[OwnWrite], facts: TargetFacts) -> FieldOwner | None:
    """Return the client that keeps setting the replicas back to the present number; None if there is none.

    Counted are the latest changes by others, within REVERTS_COUNTED seconds, that all set this number.
    """
    if manual_change(writes, facts, None) is None:
        return None
    begin = max(facts.at - REVERTS_COUNTED, facts.created_at)
    recent = [write for write in writes if write.at >= begin]
    following = [*(write.before for write in recent[1:]), facts.spec_replicas]
    changes = [found for write, found in zip(recent, following, strict=True) if found != write.after]
    reverts = sum(1 for _ in takewhile(facts.spec_replicas.__eq__, reversed(changes)))
    manager = facts.last_writer.manager if facts.last_writer else ""
    if reverts < (REVERTS if is_loop(manager) else REVERTS_OF_OTHERS):
        return None
    who = f"the field manager {quote_value(manager)}" if manager else "another client"
    return FieldOwner(
        kind="reverting client",
        name="",
        manager=manager,
        reason=Reason.REVERTED,
        text=f"{who} has set the replicas back to {facts.spec_replicas} repeatedly, {reverts} times within a day",
        remedy="remove the replicas from what it applies, then set another number by `kubectl scale` to continue",
        yields=False,
    )
