"""The pods of a target as the guard of resizing sees them: what they have, what they should have, what is in progress.

    object of the mirror + recommendation --find_wish--> target --adjusted--> requests and limits that are accepted
                         + the ledger's attempts + the pod's status --------> ResizedPod

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor, inf, isfinite

from ...log import whole_second
from ...podspec.adjust import Adjusted, ResizeSurroundings, adjusted
from ...podspec.amounts import KINDS, SIDES, ContainerResources, Kind
from ...podspec.notes import NoteReason
from ...podspec.quantity import quantity
from ...podspec.rules import ResizeRules
from ...podspec.running import RunningPod
from ...settings.resources import Resources
from ..reasons import Reason
from ..resize.attempts import Attempt
from ..resize.guard import RETRY_SECONDS, ResizedPod
from ..resize.progress import NONE, resize_progress
from ..resize.recommender import ResourceRecommendation
from ..resize.refusals import RefusedResize
from ..resize.usage import OomKill
from ..resize.wish import ResizeWish, find_wish, rounded
from ..workload.hold import INTERVALS, MAX_CONTACT_AGE, Hold
from .pods import epoch_seconds, running_containers
from .resizing_sources import NO_LIMITS, NamespaceLimits, NodeFacts
from .selectors import Selector
from .world import Item

UNREADY_SECONDS = 300.0  # after an own change of a pod, in which it is the cause if the pod becomes unready
SETTLING_SECONDS = MAX_CONTACT_AGE  # after a change, until the mirror must have brought it: a later one is a hold
OOM_KILLED = "OOMKilled"  # reason of a terminated container


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizePlanning:
    """All that decides on the pods of a target, besides the pods and what was done to them.

    `target` are the recommended requests, `memory` the bytes that the container uses by the UID of the pod, and
    `killed_at` when a container was killed for its memory last; 0 for never. `withheld` has the resources that stay.
    `shares` has the cores of each pod by UID, if a pool gives them. The decisions are those of the time `at`.
    """

    settings: Resources
    recommendation: ResourceRecommendation
    target: Mapping[Kind, Fraction]
    at: float
    limits: NamespaceLimits = NO_LIMITS
    memory: Mapping[str, float] = field(default_factory=dict)
    killed_at: float = 0.0
    withheld: frozenset[str] = frozenset()
    shares: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class PastChanges:
    """What was done to one object: its newest change, and the newest refusal."""

    attempt: Attempt | None = None
    refusal: RefusedResize | None = None


def present_pods(items: Iterable[Item], selector: Selector, container: str) -> Iterator[Item]:
    """Yield the pods that `selector` selects, that run, and that have `container`."""
    for item in items:
        running = (item.get("status") or {}).get("phase") == "Running" and not item["metadata"].get("deletionTimestamp")
        if running and selector.matches(item["metadata"].get("labels") or {}) and container_of(item, container):
            yield item


def container_of(item: Item, name: str) -> Item | None:
    """Return a container or sidecar of a pod by name; None without one."""
    return next((one for one in running_containers(item) if one.get("name") == name), None)


def pod_key(namespace: str, item: Item, container: str) -> str:
    """Return the key of the intents for a container of a pod."""
    metadata = item["metadata"]
    return f"Pod/{namespace}/{metadata['name']}/{metadata['uid']}/{container}"


def resources_of(item: Item, container: str) -> ContainerResources:
    """Return the requests and limits of a container of a pod."""
    return ContainerResources.of((container_of(item, container) or {}).get("resources"))


def statuses_of(item: Item) -> list[Item]:
    """Return the statuses of the containers of a pod."""
    status = item.get("status") or {}
    return [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]


def oom_kills(item: Item, container: str) -> Iterator[tuple[str, OomKill]]:
    """Yield the kills of a container for its memory that the status of its pod shows, each with its identity."""
    for one in statuses_of(item):
        if one.get("name") != container:
            continue
        for state in ("lastState", "state"):
            ended = (one.get(state) or {}).get("terminated") or {}
            if ended.get("reason") == OOM_KILLED:
                given = ContainerResources.of(one.get("resources")) if one.get("resources") else None
                own = (
                    given if given is not None and given.amount("requests", "memory") else resources_of(item, container)
                )
                memory = own.limits.get("memory") or own.amount("requests", "memory") or Fraction(0)
                uid, at = item["metadata"]["uid"], epoch_seconds(ended.get("finishedAt"))
                identity = str(ended.get("containerID") or f"{uid}/{ended.get('finishedAt')}")
                yield identity, OomKill(pod_uid=uid, container=container, memory_bytes=float(memory), at=at)


def pod_view(item: Item, key: str, plan: ResizePlanning, done: PastChanges) -> ResizedPod:
    """Return one pod of `present_pods` as the guard sees it; `done` is what was done to the object `key`."""
    uid, status = item["metadata"]["uid"], item.get("status") or {}
    node = plan.limits.nodes.get(str((item.get("spec") or {}).get("nodeName")), NodeFacts())
    running = RunningPod(
        version=plan.limits.version,
        working_set=Fraction(plan.memory[uid]) if uid in plan.memory else None,
        allocatable=node.allocatable,
        features=node.features,
    )
    subject = _Subject(
        item=item,
        name=item["metadata"]["name"],
        key=key,
        created_at=epoch_seconds(status.get("startTime") or item["metadata"].get("creationTimestamp")),
        running=running,
        share=plan.shares.get(uid) if plan.shares is not None else None,
    )
    return _view(subject, plan, done)


def template_view(
    template: Item, key: str, plan: ResizePlanning, done: PastChanges, created_at: float
) -> ResizedPod | None:
    """Return the template of a target, a pod spec, as the guard sees it; None if it does not have the container."""
    item = {"spec": template, "metadata": {}}
    if container_of(item, plan.settings.container) is None:
        return None
    return _view(_Subject(item=item, name="template", key=key, created_at=created_at), plan, done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A pod or a template. `running` is None for a template, and `share` the cores of the pod by its pool."""

    item: Item
    name: str
    key: str
    created_at: float
    running: RunningPod | None = None
    share: float | None = None


def _view(subject: _Subject, plan: ResizePlanning, done: PastChanges) -> ResizedPod:
    attempt, settings, own = done.attempt, plan.settings, resources_of(subject.item, plan.settings.container)
    wish = _wish(own, plan, subject, max(subject.created_at, attempt.at if attempt is not None else 0.0))
    restarting = _restarting(subject, settings)
    kept = set() if settings.allow_restart else restarting & wish.target.keys()
    target = {kind: amount for kind, amount in wish.target.items() if kind not in kept}
    found, observed = _adjusted(subject, plan, target), own.as_object()
    repeated = _repeated(done.refusal, found, own, plan)
    if repeated:  # the other resource may change
        target = {kind: amount for kind, amount in target.items() if kind not in repeated}
        found = _adjusted(subject, plan, target)
    desired = found.resources.as_object() if target else observed
    held = _refused(done.refusal) if repeated and desired == observed else None
    if desired != observed and subject.running is not None and not _is_running(subject.item, settings.container):
        # the kubelet would change the limit of the container, and not that of its pod
        desired, held = observed, held or Hold(Reason.CONTAINER_NOT_RUNNING)
    if held is None and wish.target and desired == observed:
        held = _kept(found, kept)
    own_write = attempt is not None and attempt.after == observed
    progress = NONE if subject.running is None else resize_progress(subject.item, settings.container, observed)
    return ResizedPod(
        key=subject.key,
        name=subject.name,
        observed=observed,
        desired=desired if held is None else observed,
        why=wish.why,
        text="; ".join(filter(None, (wish.text, *(note.text for note in found.notes if target)))),
        urgent=wish.urgent,
        held=held,
        progress=progress,
        since=attempt.at if own_write and attempt is not None and not isfinite(progress.since) else progress.since,
        revert=attempt.before if own_write and attempt is not None and not attempt.takes_back else None,
        unready=own_write and attempt is not None and _is_unready(subject.item, attempt.at),
        restarts=any(
            found.resources.amount(side, kind) != own.amount(side, kind)
            for side in SIDES
            for kind in KINDS
            if kind in restarting
        ),
    )


def _is_running(item: Item, container: str) -> bool:
    """Return whether a container runs; it does not while it waits for its next start."""
    statuses = [one for one in statuses_of(item) if one.get("name") == container]
    return not statuses or any("running" in (one.get("state") or {}) for one in statuses)


def _is_unready(item: Item, changed_at: float) -> bool:
    """Return whether a pod is not ready, and became so soon after it was changed."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    ready: Item = next((one for one in conditions if one.get("type") == "Ready"), {})
    after = epoch_seconds(ready.get("lastTransitionTime")) - floor(changed_at)
    return ready.get("status") == "False" and 0 <= after <= UNREADY_SECONDS


def is_settling(view: ResizedPod, done: PastChanges, now: float) -> bool:
    """Return whether the newest change of a pod is too recent to be visible in `view`."""
    attempt = done.attempt
    return attempt is not None and attempt.after != view.observed and 0 <= now - attempt.at < SETTLING_SECONDS


def _wish(own: ContainerResources, plan: ResizePlanning, subject: _Subject, changed_at: float) -> ResizeWish:
    waits = plan.shares is not None and subject.share is None  # for its share of the pool
    target = dict(plan.target)
    if subject.share is not None:
        target["cpu"] = rounded("cpu", subject.share, plan.settings)
    return find_wish(
        {kind: amount for kind in KINDS if (amount := own.amount("requests", kind)) is not None},
        plan.recommendation,
        target,
        withheld=plan.withheld | ({"cpu"} if waits else set()),
        pooled=subject.share is not None,
        changed_at=changed_at,
        killed_at=plan.killed_at,
        now=plan.at,
    )


def _restarting(subject: _Subject, settings: Resources) -> set[str]:
    """Return the resources of which a resize restarts the container."""
    if subject.running is None:
        return set()
    rules = (container_of(subject.item, settings.container) or {}).get("resizePolicy") or ()
    return {str(rule.get("resourceName")) for rule in rules if rule.get("restartPolicy") == "RestartContainer"}


def rules_of(settings: Resources) -> ResizeRules:
    """Return the rules of the document for `podspec.adjusted`."""
    blocks = {kind: getattr(settings, kind) for kind in KINDS}
    bounds = {kind: (quantity(one.min), quantity(one.max)) for kind, one in blocks.items() if one is not None}
    return ResizeRules(
        {kind: (low, high) for kind, (low, high) in bounds.items() if low is not None and high is not None},
        settings.controlled_values,
    )


def _repeated(
    refusal: RefusedResize | None, found: Adjusted, own: ContainerResources, plan: ResizePlanning
) -> frozenset[Kind]:
    """Return the resources that would change to what the API server or the node of the pod has refused lately.

    The refusal may be newer than the recommendation, as old as one may be. A later one is of a clock that was set back.
    """
    age = plan.at - refusal.at if refusal is not None else inf
    if refusal is None or not -INTERVALS * plan.settings.interval <= age < RETRY_SECONDS:
        return frozenset()
    return refusal.repeated(found.resources.as_object(), own.as_object())


def _refused(refusal: RefusedResize | None) -> Hold | None:
    if refusal is None:
        return None
    reason = Reason.of_value(refusal.reason) or Reason.RESIZE_INFEASIBLE
    return Hold(reason, f"{refusal.text}; it is tried again at {whole_second(refusal.at + RETRY_SECONDS)}")


def _adjusted(subject: _Subject, plan: ResizePlanning, target: Mapping[Kind, Fraction]) -> Adjusted:
    surroundings = ResizeSurroundings(plan.limits.limit_ranges, plan.limits.quotas, subject.running)
    return adjusted(subject.item, plan.settings.container, target, rules_of(plan.settings), surroundings)


def _kept(found: Adjusted, restarting: Iterable[str]) -> Hold | None:
    """Return why a container keeps its resources: what the API server would refuse, or a restart without leave."""
    for kind in sorted(restarting):
        return Hold(Reason.RESTART_NEEDED, f"{kind}: {Hold(Reason.RESTART_NEEDED).explained}")
    if not found.notes:
        return None
    # of two bounds that exclude each other, that of the cluster is the reason, and not that of the document
    note = next((one for one in found.notes if one.reason != NoteReason.REQUEST_LIMIT), found.notes[0])
    reason = next((one for one in Reason if one.camel == note.reason), Reason.INVALID_OBJECT)
    return Hold(reason, "; ".join(filter(None, (*(one.text for one in found.notes), reason.remedy))))
