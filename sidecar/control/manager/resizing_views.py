"""The pods of a target for the guard of resizing, computed again only where something about them has changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..resize.attempts import Attempts
from ..resize.guard import ResizedPod
from ..scale.target import TargetFacts
from .resizing_pods import PastChanges, ResizePlanning, is_settling, pod_key, pod_view, template_view
from .world import Item


@dataclass(frozen=True, slots=True)
class _Seen:
    """A pod as it was when its view was made."""

    item: Item
    planning: ResizePlanning
    past: PastChanges
    view: ResizedPod


@dataclass
class PodViews:
    """The views of the pods that were seen last, by UID."""

    _seen: dict[str, _Seen] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether one of the pods is to be changed."""
        return any(one.view.wanted for one in self._seen.values())

    def of_pods(
        self, items: Iterable[Item], planning: ResizePlanning, attempts: Attempts, now: float
    ) -> tuple[ResizedPod, ...]:
        """Return the pods `items` at `now`, in epoch seconds, which become those that were seen last."""
        container = planning.settings.container
        found: dict[str, _Seen] = {}
        for item in items:
            uid, key = item["metadata"]["uid"], pod_key(item["metadata"]["namespace"], item, container)
            past, known = _past(attempts, key), self._seen.get(uid)
            if known is None or known.item is not item or known.planning is not planning or known.past != past:
                known = _Seen(item, planning, past, pod_view(item, key, planning, past))
            found[uid] = known
        self._seen = found
        return tuple(
            replace(one.view, settling=True) if is_settling(one.view, one.past, now) else one.view
            for one in found.values()
        )


def template_views(
    target: TargetFacts, key: str, planning: ResizePlanning, attempts: Attempts, read_at: float, now: float
) -> tuple[ResizedPod, ...]:
    """Return the template of `target`, read at `read_at`, under the key of its intents; nothing if it has none."""
    past = _past(attempts, key)
    view = template_view(target.template, key, planning, past, target.created_at) if target.template else None
    if view is None:
        return ()
    unread = past.attempt is not None and past.attempt.at >= read_at  # the template is from before the change
    return (replace(view, settling=True) if unread or is_settling(view, past, now) else view,)


def _past(attempts: Attempts, key: str) -> PastChanges:
    return PastChanges(attempts.newest.get(key), attempts.refusals.get(key))
