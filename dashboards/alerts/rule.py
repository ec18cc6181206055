"""The description of a rule, and the text of a rule file for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

Severity = Literal["critical", "warning", "info"]
Json = dict[str, Any]
RUNBOOKS = "https://pilotfish.example/docs/runbooks"  # the chart replaces it by `rules.runbooks`
HEAD = "# Written by `make generate` from dashboards/alerts. Each alert has a page in docs/runbooks.\n"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule: the name of its series, and their expression."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert.

    Attributes:
        held: how long the expression must hold before it fires, such as `5m`.
        severity: critical wakes a person, warning is for working hours, info is for a list.
        summary: one line that names the object.
        description: the values, and what they mean.
        runbook: the page in docs/runbooks; by default the name.
    """

    name: str
    expr: str
    held: str
    severity: Severity
    summary: str
    description: str
    runbook: str = ""

    @property
    def page(self) -> str:
        """The name of the page in docs/runbooks, without its ending."""
        return self.runbook or self.name


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that Prometheus evaluates in order, each minute."""

    name: str
    rules: Sequence[Recording | Alert]


def alerts(groups: Iterable[Group]) -> Iterator[Alert]:
    """Yield the alerts of the groups."""
    for group in groups:
        yield from (rule for rule in group.rules if isinstance(rule, Alert))


def text_of(groups: Iterable[Group], *, held: str = "") -> str:
    """Return a rule file; `held` replaces the time that every alert must hold, for tests."""
    content = {"groups": [_group(group, held) for group in groups]}
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)


def _group(group: Group, held: str) -> Json:
    return {"name": group.name, "interval": "1m", "rules": [_rule(rule, held) for rule in group.rules]}


def _rule(rule: Recording | Alert, held: str) -> Json:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expr}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        "for": held or rule.held,
        "labels": {"severity": rule.severity},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{RUNBOOKS}/{rule.page}.md",
        },
    }
