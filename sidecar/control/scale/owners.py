"""Who owns the replicas of a target: decided purely, from objects of the API server.

Two writers of one field undo each other's changes. So the controller writes the replicas only if nobody else does, or
if `spec.scaling.takeOwnership` says so. An autoscaler on the target is never overridden, because it writes every 15 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..reasons import Reason

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOwner:
    """Another owner of a field.

    Attributes:
        kind: what it is, such as `HorizontalPodAutoscaler`, `Deployment`, `Helm` or `Argo CD`.
        name: the name of the object or of the application; empty if it is unknown.
        manager: its field manager, empty if that is unknown.
        reason: the reason of the refusal.
        text: what it does, as a sentence without a full stop.
        remedy: what to do.
        yields: whether `takeOwnership: true` overrides it.
    """

    kind: str
    name: str
    manager: str
    reason: Reason
    text: str
    remedy: str
    yields: bool

    @property
    def message(self) -> str:
        """The sentence for status, Events and log: text and remedy."""
        return f"{self.text}; {self.remedy}"


def find_owner(
    target: Item, *, autoscalers: Sequence[Item] = (), scaled_objects: Sequence[Item] = ()
) -> FieldOwner | None:
    """Return the strongest owner of the replicas of `target`; None if nobody else owns them.

    `autoscalers` and `scaled_objects` are all HorizontalPodAutoscalers and ScaledObjects of the namespace.
    """
    raise NotImplementedError


def find_resources_owner(target: Item, *, vertical_autoscalers: Sequence[Item] = ()) -> FieldOwner | None:
    """Return the VerticalPodAutoscaler that owns the resources of the pods of `target`; None without one."""
    raise NotImplementedError
