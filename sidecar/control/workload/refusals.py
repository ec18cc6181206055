"""Why the API server refuses new pods of a workload, such as for a ResourceQuota: in its own words. Pure.

    Deployment, ReplicaSet, Rollout  --condition ReplicaFailure--> sentence
    StatefulSet                      --Events of the object------> sentence
    other kinds                      --nothing shows it

The controller of a workload tries again, at most 17 minutes later: until then the sentence may be of the past.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .kinds import at_path
from .managed_fields import epoch_seconds

Item = Mapping[str, Any]

BY_CONDITION = frozenset((("apps", "Deployment"), ("apps", "ReplicaSet"), ("argoproj.io", "Rollout")))
BY_EVENTS = frozenset((("apps", "StatefulSet"),))
FAILED, CREATED = "FailedCreate", "SuccessfulCreate"  # reasons of conditions and Events


@dataclass(frozen=True, slots=True)
class PodRefusal:
    """Why the API server refuses new pods of a workload, of which `missing` are wanted and do not exist.

    `words` are empty if nothing shows a refusal. `unseen` is why nothing can show it while pods are missing.
    """

    words: str = ""
    missing: int = 0
    unseen: str = ""


NO_REFUSAL = PodRefusal()


def refused_by_condition(item: Item) -> str:
    """Return why no pod of `item` can be created, by its condition ReplicaFailure; empty without one."""
    conditions = at_path(item, ("status", "conditions"))
    for found in conditions if isinstance(conditions, list) else ():
        given = tuple(found.get(key) for key in ("type", "status", "reason")) if isinstance(found, dict) else ()
        if given == ("ReplicaFailure", "True", FAILED):
            return str(found.get("message") or FAILED)
    return ""


def refused_by_events(events: Iterable[Item]) -> str:
    """Return why no pod can be created, by the newest Event about the creation of a pod; empty if it was created.

    Many Events have whole seconds: of two in the same one, the creation counts.
    """
    found = [one for one in events if isinstance(one, dict) and one.get("reason") in (FAILED, CREATED)]
    newest = max(found, key=lambda one: (_time(one), one.get("reason") == CREATED), default=None)
    return str(newest.get("note") or FAILED) if newest is not None and newest.get("reason") == FAILED else ""


def _time(event: Item) -> float:
    series = at_path(event, ("series", "lastObservedTime"))
    given = (series, event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    found = [epoch_seconds(one) for one in given if isinstance(one, str)]
    return max((one for one in found if one is not None), default=0.0)
