"""The policy of resizing: one intent at a time, for the pod that the guard chose."""

from __future__ import annotations

from ..intent import Intent, level
from ..policy import Policy
from ..situation import Situation

KIND = "resize"


def wanted_intents(situation: Situation) -> tuple[Intent, ...]:
    """Return the intent for the next change of resources; none while nothing is to be changed."""
    change = situation.resize.change if situation.resize is not None else None
    if change is None:
        return ()
    return (
        level(
            KIND,
            situation.subject,
            change.key,
            desired=change.desired,
            observed=change.observed,
            why=change.why,
            text=change.text,
        ),
    )


POLICY = Policy(KIND, wanted_intents)
