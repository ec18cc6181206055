"""The policy of scaling: one intent while the desired number of replicas differs from the observed one."""

from __future__ import annotations

from ..intent import Intent, level
from ..policy import Policy
from ..situation import Fact, Situation

KIND = "scale"


def wanted_intents(situation: Situation) -> tuple[Intent, ...]:
    """Return the intent for the replicas of the target; none before they are known, and none without the block.

    The guard ignores an intent whose desired value is the observed one.
    """
    scale = situation.scale
    if scale is None or scale.replicas is None:
        return ()
    observed: Fact[object] = Fact(scale.replicas.value, scale.replicas.at)
    subject, why = situation.subject, scale.why
    return (level(KIND, subject, scale.key, desired=scale.desired, observed=observed, why=why, text=scale.text),)


POLICY = Policy(KIND, wanted_intents)
