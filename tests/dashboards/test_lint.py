"""The committed dashboards keep all rules, and each rule finds what it is for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.coverage import WAIVED
from dashboards.lint import check, check_all, panels
from dashboards.page import line_of, normal, text_of
from dashboards.pages import PAGES
from pilotfish.sidecar.dashboards.files import load

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]
DASHBOARDS = {file.name: file.content for file in load()}


def test_the_dashboards_keep_all_rules() -> None:
    assert not check_all(DASHBOARDS.values())


def test_the_wheel_and_the_chart_have_the_generated_dashboards() -> None:
    assert {page.name for page in PAGES} == set(DASHBOARDS)
    for page in PAGES:
        assert json.loads(text_of(page)) == DASHBOARDS[page.name]
        assert (ROOT / "helm/dashboards" / f"{page.name}.json").read_text() == line_of(page)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_models_of_the_sdk_read_and_write_a_dashboard_without_a_difference(name: str) -> None:
    assert normal(DASHBOARDS[name]) == DASHBOARDS[name]


def first(dashboard: Json, kind: str = "timeseries") -> Json:
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def with_expr(expr: str) -> Callable[[Json], None]:
    return lambda dashboard: first(dashboard)["targets"][0].update(expr=expr)


def with_defaults(**changed: object) -> Callable[[Json], None]:
    return lambda dashboard: first(dashboard)["fieldConfig"]["defaults"].update(changed)


def moved(dashboard: Json) -> None:
    first(dashboard)["gridPos"] = dict(dashboard["panels"][1]["gridPos"])


def without_variable(dashboard: Json) -> None:
    dashboard["templating"]["list"] = [item for item in dashboard["templating"]["list"] if item["name"] != "pod"]


MUTANTS: dict[str, tuple[Callable[[Json], object], str]] = {
    "a_column_too_far": (lambda d: first(d)["gridPos"].update(x=20), "outside of the 24 columns"),
    "a_counter_without_a_rate": (with_expr("pilotfish_requests_total"), "is read by no function"),
    "a_fixed_window": (with_expr("rate(pilotfish_requests_total[5m])"), "use $__rate_interval"),
    "a_foreign_dashboard": (lambda d: d.update(uid="nodes"), "its uid is not"),
    "a_gauge_with_a_rate": (with_expr("rate(pilotfish_ready[$__rate_interval])"), "is a gauge, and is read by rate"),
    "a_metric_that_does_not_exist": (with_expr("pilotfish_nothing"), "pilotfish_nothing does not exist"),
    "a_name_in_a_function": (with_expr("max(sum by (pod) (pilotfish_nothing))"), "pilotfish_nothing does not exist"),
    "a_table_of_one_query": (lambda d: first(d, "table").update(targets=first(d, "table")["targets"][:1]), "one query"),
    "a_title_in_the_head": (lambda d: d.update(tags=[]), "lacks the tag"),
    "an_id": (lambda d: d.update(id=3), "it has an id"),
    "an_id_used_twice": (lambda d: first(d).update(id=1), "used twice"),
    "an_unknown_label": (with_expr('pilotfish_ready{colour="red"}'), "has no label colour"),
    "an_unknown_unit": (with_defaults(unit="furlongs"), "no known unit"),
    "an_unknown_variable": (with_expr('pilotfish_ready{pod="$colour"}'), "colour is used, but not defined"),
    "another_source": (lambda d: first(d).update(datasource={"type": "prometheus", "uid": "abc"}), "does not use"),
    "no_description": (lambda d: first(d).update(description="x"), "no sentence"),
    "no_link": (lambda d: d.update(links=[]), "no link to the other dashboards"),
    "no_query": (lambda d: first(d).update(targets=[]), "has no query"),
    "no_text_for_nothing": (with_defaults(noValue=""), "what an empty result means"),
    "no_thresholds": (with_defaults(thresholds=None), "no thresholds"),
    "no_variable": (without_variable, "pod is used, but not defined"),
    "overlapping": (moved, "overlap"),
    "the_same_query_twice": (lambda d: first(d)["targets"].append(first(d)["targets"][0]), "a refId twice"),
    "thresholds_that_fall": (
        with_defaults(thresholds={"steps": [{"value": None}, {"value": 2}, {"value": 1}]}),
        "no thresholds",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_reports_what_it_is_for(name: str) -> None:
    change, expected = MUTANTS[name]
    changed = copy.deepcopy(DASHBOARDS["fleet"])
    assert not check(changed)
    change(changed)
    assert any(expected in problem for problem in check(changed)), check(changed)


def test_a_metric_without_a_panel_is_reported() -> None:
    without = [content for name, content in DASHBOARDS.items() if name != "feature"]
    assert any(item.startswith("pilotfish_feature_wasserstein: no panel shows it") for item in check_all(without))


def test_a_uid_that_is_used_twice_is_reported() -> None:
    assert any("uid is used twice" in item for item in check_all([*DASHBOARDS.values(), DASHBOARDS["fleet"]]))


def test_every_waived_metric_has_a_reason() -> None:
    assert all(len(reason) > 10 for reason in WAIVED.values())


def test_the_provisioning_files_load_the_exported_folder() -> None:
    folder = ROOT / "dashboards/provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((folder / "datasource.yaml").read_text())["datasources"]
    assert (provider["type"], source["type"], source["access"]) == ("file", "prometheus", "proxy")
    assert provider["options"]["path"] in (folder / "dashboards.yaml").read_text().split("providers:")[0]
