"""Checks of ModelMonitors: conditions that say that something is wrong, and two monitors with one target."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import escape_unprintable, number
from ..findings import ClusterFinding, Level
from ..snapshot import ClusterSnapshot, Json, place

# Conditions that are good news when they are True. Drift and alarms are no findings: the model has them, not the setup.
WANTED = ("Ready", "Injected")
MAX_MESSAGE = 400


def check_monitors(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check the conditions of all monitors."""
    items = list(snapshot.of("modelmonitors"))
    targets: dict[tuple[str, ...], list[str]] = {}
    fine = 0
    for item in items:
        target = (item.get("spec") or {}).get("targetRef") or {}
        namespace, _, name = place("modelmonitor", item).split("/", 2)
        key = (namespace, *(str(target.get(field)) for field in ("apiVersion", "kind", "name")))
        targets.setdefault(key, []).append(name)
        problems = list(_conditions(item))
        yield from problems
        fine += not problems
    for (namespace, _, kind, name), monitors in targets.items():
        if len(monitors) > 1:
            what = f"{len(monitors)} monitors have it as their target: {', '.join(sorted(monitors))}"
            remedy = "delete all but one: each pod reports to one monitor"
            where = f"{namespace}/{kind.lower()}/{name}"
            yield ClusterFinding(check="monitors", level=Level.WARNING, where=where, what=what, remedy=remedy)
    if items and fine == len(items):
        yield ClusterFinding(
            check="monitors", level=Level.OK, where="modelmonitors", what=f"ready: {number(fine, 'monitor')}"
        )


def _conditions(item: Json) -> Iterator[ClusterFinding]:
    where = place("modelmonitor", item)
    conditions = (item.get("status") or {}).get("conditions") or ()
    if not conditions:
        what = "it has no status: the controller has not read it"
        remedy = "check the controller (servers, leader), and whether its watchNamespace covers this namespace"
        yield ClusterFinding(check="monitors", level=Level.WARNING, where=where, what=what, remedy=remedy)
    for condition in conditions:
        if condition.get("type") in WANTED and condition.get("status") == "False":
            message = escape_unprintable(str(condition.get("message") or ""))[:MAX_MESSAGE]
            what = f"{condition['type']} is False ({condition.get('reason')}): {message}"
            remedy = "docs/reasons.md says what to do about the reason"
            yield ClusterFinding(check="monitors", level=Level.WARNING, where=where, what=what, remedy=remedy)
