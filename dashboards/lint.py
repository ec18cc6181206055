"""The rules that every generated dashboard keeps. `check` takes JSON, so that it also reads dashboards made elsewhere.

`RULES` is the table of rules: each is a function from a dashboard to the problems it found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, pairwise
from typing import Any

from grafana_foundation_sdk.models import units

from pilotfish.sidecar.telemetry.names import METRICS

from .alerts import GROUPS
from .alerts.rule import Recording
from .coverage import WAIVED
from .foreign import EXPORTERS
from .promql import Selector, selectors, variables
from .queries import OBJECTIVE_WINDOW

Json = dict[str, Any]
SOURCE = "${datasource}"
WINDOWS = ("$__rate_interval", "$__range", OBJECTIVE_WINDOW)
UNITS = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")} | {
    "cores"
}
TARGET_LABELS = frozenset({"namespace", "pod", "container", "monitor", "version"})  # of scrapes, and of the controller
OWN = {metric.name: metric for metric in METRICS}
RECORDED = {rule.name for group in GROUPS for rule in group.rules if isinstance(rule, Recording)}
FOREIGN = {name for exporter in EXPORTERS for name in exporter.metrics}
_PART = re.compile(r"_(?:bucket|count|sum)$")
_COUNTING = ("changes", "increase", "last_over_time", "rate", "resets")


def check(dashboard: Json) -> list[str]:
    """Return the problems of one dashboard; none if it keeps all rules."""
    return [f"{dashboard.get('uid')}: {problem}" for rule in RULES for problem in rule(dashboard)]


def check_all(dashboards: Iterable[Json]) -> list[str]:
    """Return the problems of all dashboards, and those between them."""
    found = list(dashboards)
    problems = [problem for dashboard in found for problem in check(dashboard)]
    for key in ("uid", "title"):
        problems += [
            f"{value}: {key} is used twice" for value, times in Counter(d[key] for d in found).items() if times > 1
        ]
    return problems + list(_coverage(found))


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield each panel, also those of collapsed rows, without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def queried(dashboard: Json) -> Iterator[Selector]:
    """Yield each selector of each panel."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            yield from selectors(target["expr"])


def metric_of(name: str) -> str:
    """Return the name of the metric that a series belongs to: without `_bucket`, `_sum`, `_count` of a histogram."""
    short = _PART.sub("", name)
    return short if (short in OWN and OWN[short].kind == "histogram") or short in FOREIGN else name


def _ruled() -> set[str]:
    """Return the metrics that rules query."""
    return {metric_of(item.metric) for group in GROUPS for rule in group.rules for item in selectors(rule.expr)}


def _coverage(dashboards: list[Json]) -> Iterator[str]:
    shown = {metric_of(item.metric) for dashboard in dashboards for item in queried(dashboard)}
    for name in OWN:
        if name not in shown and name not in WAIVED:
            yield f"{name}: no panel shows it; add one, or a reason in coverage.py"
        if name in shown and name in WAIVED:
            yield f"{name}: a panel shows it; remove it from coverage.py"
    yield from (f"{name}: coverage.py names it, but it does not exist" for name in WAIVED if name not in OWN)
    yield from (f"{name}: foreign.py names it, but nothing queries it" for name in sorted(FOREIGN - shown - _ruled()))


def _head(dashboard: Json) -> Iterator[str]:
    if not re.fullmatch(r"pilotfish-[a-z-]{1,30}", dashboard.get("uid", "")):
        yield "its uid is not pilotfish- and a word"
    if dashboard.get("id") is not None:
        yield "it has an id, which differs between instances of Grafana"
    if not any(link.get("type") == "dashboards" and link.get("includeVars") for link in dashboard.get("links", ())):
        yield "it has no link to the other dashboards that keeps the variables"
    if "pilotfish" not in dashboard.get("tags", ()):
        yield "it lacks the tag by which the dashboards find each other"


def _variables(dashboard: Json) -> Iterator[str]:
    found = {item["name"]: item for item in dashboard["templating"]["list"]}
    if found.get("datasource", {}).get("type") != "datasource":
        yield "it has no variable for the data source"
    used = {"datasource"}
    for item in found.values():
        used |= variables(str(item.get("query", ""))) if item["type"] == "query" else set()
        if item["type"] == "query" and item["datasource"]["uid"] != SOURCE:
            yield f"the variable {item['name']} does not use {SOURCE}"
    used |= {
        name for panel in panels(dashboard) for target in panel.get("targets", ()) for name in variables(target["expr"])
    }
    yield from (f"the variable {name} is used, but not defined" for name in sorted(used - found.keys()))
    yield from (f"the variable {name} is defined, but not used" for name in sorted(found.keys() - used))


def _grid(dashboard: Json) -> Iterator[str]:
    placed = list(dashboard["panels"])
    groups = [placed, *(panel["panels"] for panel in placed if panel.get("panels"))]
    for group in groups:
        for one, other in combinations(group, 2):
            if _overlap(one["gridPos"], other["gridPos"]):
                yield f"the panels {one['title']!r} and {other['title']!r} overlap"
        for panel in group:
            place = panel["gridPos"]
            if place["x"] < 0 or place["x"] + place["w"] > 24:
                yield f"the panel {panel['title']!r} is outside of the 24 columns"
    numbers = Counter(panel["id"] for group in groups for panel in group)
    yield from (f"the id {number} is used twice" for number, times in numbers.items() if times > 1)


def _overlap(one: Json, other: Json) -> bool:
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in ("xw", "yh"))


def _texts(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        description = panel.get("description", "")
        if not re.fullmatch(r"[A-Z][^\n]{15,250}\.", description):
            yield f"the panel {panel['title']!r} has no sentence as description"
        if not panel.get("title"):
            yield f"the panel {panel['id']} has no title"


def _display(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if panel["type"] == "text":
            continue
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if defaults.get("unit") not in UNITS:
            yield f"the panel {panel['title']!r} has no known unit"
        if not defaults.get("noValue"):
            yield f"the panel {panel['title']!r} does not say what an empty result means"
        steps = (defaults.get("thresholds") or {}).get("steps") or [{"value": 0}]
        values = [step.get("value") for step in steps]
        if values[0] is not None or any(a >= b for a, b in pairwise(values[1:])):
            yield f"the panel {panel['title']!r} has no thresholds that begin with a base and increase"


def _sources(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        places = [panel, *panel.get("targets", ())] if panel["type"] != "text" else []
        if any((place.get("datasource") or {}).get("uid") != SOURCE for place in places):
            yield f"the panel {panel['title']!r} does not use {SOURCE} everywhere"
        references = Counter(target["refId"] for target in panel.get("targets", ()))
        if any(times > 1 for times in references.values()):
            yield f"the panel {panel['title']!r} uses a refId twice"
        if panel["type"] != "text" and not panel.get("targets"):
            yield f"the panel {panel['title']!r} has no query"
        if panel["type"] == "table" and len(panel["targets"]) < 2:
            yield f"the table {panel['title']!r} has one query, so that Grafana names its column `Value`"


def _metrics(dashboard: Json) -> Iterator[str]:
    for item in queried(dashboard):
        name = metric_of(item.metric)
        if name in RECORDED:
            continue
        if name not in OWN and name not in FOREIGN:
            yield f"the metric {item.metric} does not exist"
            continue
        if item.window and item.window not in WINDOWS:
            yield f"{item.metric} is read over {item.window}; use $__rate_interval"
        if name in FOREIGN:
            continue
        kind = OWN[name].kind
        if (kind in ("counter", "histogram")) != (item.function in _COUNTING):
            yield f"{item.metric} is a {kind}, and is read by {item.function or 'no function'}"
        unknown = set(item.labels) - set(OWN[name].labels) - TARGET_LABELS
        yield from (f"{item.metric} has no label {label}" for label in sorted(unknown))


RULES: tuple[Callable[[Json], Iterable[str]], ...] = (
    _display,
    _grid,
    _head,
    _metrics,
    _sources,
    _texts,
    _variables,
)
