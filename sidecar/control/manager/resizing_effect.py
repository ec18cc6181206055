"""Whether the containers of a target use what a resize gave them, from their use around it.

A runtime that reads its limits at the start uses no more after a resize. Only this process has the samples from before
the resize, so another leader comes to a verdict about the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...podspec.amounts import ContainerResources
from ..resize.attempts import Attempt, Attempts
from ..resize.effect import ActuatedResize, Effect, EffectVerdict, effect_of
from ..resize.runtimes import runtime_hints
from ..resize.usage import ContainerUsage
from .pods import epoch_seconds
from .resizing_pods import pod_key, statuses_of
from .world import Item

KEPT = 60  # samples of one pod
CURRENT_SECONDS = 3600.0  # after a resize, until which its effect is looked for
_FINAL = frozenset((EffectVerdict.EFFECTIVE, EffectVerdict.WITHOUT_EFFECT))


@dataclass
class EffectWatch:
    """The recent use of each pod by UID, and the verdict on the newest resize of each object by key."""

    _samples: dict[str, deque[ContainerUsage]] = field(default_factory=dict)
    _verdicts: dict[str, tuple[float, Effect]] = field(default_factory=dict)  # with the time of the resize

    def look(
        self,
        pods: Iterable[Item],
        usages: Iterable[ContainerUsage],
        attempts: Attempts,
        template: Item | None,
        container: str,
        *,
        busy: bool | None,
        now: float,
    ) -> tuple[str, ...]:
        """Take the newest use, and return in words which pods use no more than before; each text once.

        `busy` is whether requests are too slow at present, None if that is not known. `template` is the pod spec of the
        target, whose container shows its runtime.
        """
        pods = tuple(pods)
        self._take(usages, {item["metadata"]["uid"] for item in pods})
        hints = runtime_hints(_container(template, container))
        verdicts: dict[str, tuple[float, Effect]] = {}
        for item in pods:
            key = pod_key(item["metadata"]["namespace"], item, container)
            attempt, known = attempts.newest.get(key), self._verdicts.get(key)
            if attempt is None or not attempt.answered or attempt.takes_back:
                continue
            if known is not None and known[0] == attempt.at and known[1].verdict in _FINAL:
                verdicts[key] = known
            elif now - attempt.at <= CURRENT_SECONDS:
                samples = self._samples.get(item["metadata"]["uid"], ())
                before = [one for one in samples if one.at <= attempt.at]
                after = [one for one in samples if one.at > attempt.at]
                resize = _actuated(attempt, container, item)
                verdicts[key] = attempt.at, effect_of(resize, before, after, busy=busy, hints=hints)
        self._verdicts = verdicts
        texts = (one.text for _, one in verdicts.values() if one.verdict is EffectVerdict.WITHOUT_EFFECT)
        return tuple(dict.fromkeys(texts))

    def _take(self, usages: Iterable[ContainerUsage], present: set[str]) -> None:
        self._samples = {uid: samples for uid, samples in self._samples.items() if uid in present}
        for usage in usages:
            samples = self._samples.setdefault(usage.pod_uid, deque(maxlen=KEPT))
            if samples and samples[-1].at > usage.at:  # the clock was set back
                samples.clear()
            if not samples or samples[-1].at < usage.at:
                samples.append(usage)


def _actuated(attempt: Attempt, container: str, item: Item) -> ActuatedResize:
    started = (
        epoch_seconds(((one.get("state") or {}).get("running") or {}).get("startedAt"))
        for one in statuses_of(item)
        if one.get("name") == container
    )
    return ActuatedResize(
        container=container,
        old=ContainerResources.of(attempt.before),
        new=ContainerResources.of(attempt.after),
        at=attempt.at,
        restarted=any(at > attempt.at for at in started),
    )


def _container(template: Item | None, name: str) -> Mapping[str, Any]:
    found = (template or {}).get("containers")
    return next((one for one in found if one.get("name") == name), {}) if isinstance(found, list) else {}
