"""Rules and alerts: names, metrics, labels, texts, runbooks, and a rule test of each alert."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest
import yaml

from dashboards.alerts import GROUPS
from dashboards.alerts.rule import Alert, Recording, alerts, text_of
from dashboards.lint import FOREIGN, OWN, TARGET_LABELS, metric_of
from dashboards.promql import selectors
from tests.alerts.cases import CASES

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs/runbooks"
ALERTS = tuple(alerts(GROUPS))
RULES = tuple(chain.from_iterable(group.rules for group in GROUPS))
RECORDED = {rule.name for rule in RULES if isinstance(rule, Recording)}
PARTS = ("Meaning", "Impact", "First look", "Likely causes, in this order", "Remedies", "Silence")


def test_every_rule_queries_metrics_and_labels_that_exist() -> None:
    for rule in RULES:
        found = list(selectors(rule.expr))
        assert found or rule.expr.startswith("vector("), rule.name
        for item in found:
            name = metric_of(item.metric)
            assert name in OWN or name in FOREIGN or name in RECORDED or name == "up", (rule.name, name)
            if name in OWN:
                unknown = {*item.labels} - {*OWN[name].labels} - TARGET_LABELS - {"le"}
                assert not unknown, (rule.name, item.metric, unknown)


def test_counters_are_read_by_their_growth() -> None:
    for rule in RULES:
        for item in selectors(rule.expr):
            known = OWN.get(metric_of(item.metric))
            kept_for_growth = rule.name == "model:pilotfish_drift_alarms:max"
            if known is not None and known.kind != "gauge" and not kept_for_growth:
                assert item.function in ("rate", "increase"), (rule.name, item.metric)


def test_a_rule_uses_only_series_recorded_before_it() -> None:
    known: set[str] = set()
    for rule in RULES:
        used = {item.metric for item in selectors(rule.expr)} & RECORDED
        assert used <= known, (rule.name, used - known)
        known.add(rule.name)


def test_names_are_unique() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert len({group.name for group in GROUPS}) == len(GROUPS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_holds_and_for_what(alert: Alert) -> None:
    assert re.fullmatch(r"Pilotfish[A-Z]\w+", alert.name)
    assert re.fullmatch(r"[1-9][0-9]*[mhd]", alert.held)
    for text in (alert.summary, alert.description):
        assert re.fullmatch(r"[A-Z{].*\.", text), text
    assert "$value" not in alert.summary, "it would differ in each evaluation"
    shown = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    for grouping in re.findall(r"\bby \(([^)]*)\)", alert.expr)[:1]:
        assert shown <= {label.strip() for label in grouping.split(",")}, (shown, grouping)


@pytest.mark.parametrize("page", sorted({alert.page for alert in ALERTS}))
def test_a_runbook_has_all_parts(page: str) -> None:
    text = (RUNBOOKS / f"{page}.md").read_text()
    assert text.startswith(f"# {page}\n")
    parts = dict(re.findall(r"^## (.+)\n\n((?:(?!## ).*\n)+)", text, re.MULTILINE))
    assert tuple(parts) == PARTS
    assert all(len(content.strip()) > 30 for content in parts.values())
    assert "1. " in parts["Likely causes, in this order"]
    assert "- " in parts["Remedies"]
    assert ", for at most " in parts["Silence"].replace("\n", " ")


def test_the_queries_of_runbooks_name_metrics_that_exist() -> None:
    for path in RUNBOOKS.glob("*.md"):
        for block in re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL):
            for item in selectors(block):
                name = metric_of(item.metric)
                assert name in OWN or name in FOREIGN or name in RECORDED or name == "up", (path.name, name)


def test_no_runbook_is_without_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert.page for alert in ALERTS}


def test_every_alert_has_a_rule_test() -> None:
    assert CASES.keys() == {alert.name for alert in ALERTS}


def test_the_rule_file_is_yaml_with_every_rule() -> None:
    content = yaml.safe_load(text_of(GROUPS, held="0s"))
    rules = [rule for group in content["groups"] for rule in group["rules"]]
    assert [rule.get("record") or rule["alert"] for rule in rules] == [rule.name for rule in RULES]
    assert {rule["for"] for rule in rules if "alert" in rule} == {"0s"}


def test_the_chart_finds_what_its_values_replace() -> None:
    text = (ROOT / "helm/files/rules.yaml").read_text()
    template = (ROOT / "helm/templates/rules.yaml").read_text()
    for found in re.findall(r'replace "((?:[^"\\]|\\.)*)"', template):
        assert found.replace('\\"', '"') in re.sub(r"\n\s+", " ", text), found
    assert text.count("vector(0.999)") == text.count("vector(0.99)") == text.count('le="1.0"') == 1
    assert text.count("histogram_fraction(0,1.0,") == 1
