"""From the description of a dashboard to its JSON: the grid, the variables, and the links between all dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models

from .model import Page, Panel, Section, Variable
from .panels import SOURCE, build

WIDTH = 24  # columns of Grafana's grid
EVERYTHING = ".*"  # also matches series without the label, such as those scraped outside of Kubernetes
OBJECTIVES = "0.9,0.95,0.99,0.995,0.999,0.9999"


def text_of(page: Page) -> str:
    """Return the JSON of a dashboard in Grafana's classic schema."""
    return json.dumps(_content(page), indent=1, ensure_ascii=False) + "\n"


def line_of(page: Page) -> str:
    """Return the same JSON without spaces: the annotation of `kubectl apply` holds 256 KiB of a ConfigMap."""
    return json.dumps(_content(page), separators=(",", ":"), ensure_ascii=False) + "\n"


def _content(page: Page) -> dict[str, Any]:
    return normal(json.loads(json.dumps(_dashboard(page).build(), cls=JSONEncoder)))


def normal(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard as the SDK's models write it after they have read it: their defaults are filled in."""
    register_default_plugins()
    normalised: dict[str, Any] = json.loads(json.dumps(models.Dashboard.from_json(dashboard), cls=JSONEncoder))
    return normalised


def _dashboard(page: Page) -> dashboard.Dashboard:
    built = dashboard.Dashboard(page.title).uid(page.uid).description(page.description).tags(list(page.tags))
    built.time("now-3h", "now").refresh("1m").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    built.editable().version(1)
    for variable in _variables(page):
        built.with_variable(variable)
    link = dashboard.DashboardLink("Pilotfish").type(models.DashboardLinkType.DASHBOARDS).tags(["pilotfish"])
    built.link(link.as_dropdown(True).include_vars(True).keep_time(True).icon("external link"))
    top, number = 0, 0
    for section in page.sections:
        number += 1
        row = dashboard.Row(section.title).id(number).collapsed(section.collapsed)
        row.grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=top))
        placed = list(place(section, top + 1))
        panels = []
        for panel, x, y in placed:
            number += 1
            panels.append(build(panel, number, x, y))
        if section.collapsed:
            for panel in panels:
                row.with_panel(panel)
            built.with_row(row)
            top += 1
        else:
            built.with_row(row)
            for panel in panels:
                built.with_panel(panel)
            top = max((y + panel.height for panel, _, y in placed), default=top + 1)
    return built


def place(section: Section, top: int) -> Iterator[tuple[Panel, int, int]]:
    """Yield each panel with x and y: from left to right, and below the highest one of the line when it is full."""
    x, y, height = 0, top, 0
    for panel in section.panels:
        if x + panel.width > WIDTH:
            x, y, height = 0, y + height, 0
        yield panel, x, y
        x, height = x + panel.width, max(height, panel.height)


def _variables(
    page: Page,
) -> Iterator[dashboard.QueryVariable | dashboard.DatasourceVariable | dashboard.CustomVariable]:
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield source.description("The Prometheus that scrapes Pilotfish.").current(_option("default", "default"))
    for variable in page.variables:
        yield _listed(variable)
    if page.objective:
        choice = dashboard.CustomVariable("objective").label("Objective").values(OBJECTIVES)
        choice.description("The wanted share of requests without an error; the error budget is the rest.")
        options = [_option(value, value, chosen=value == "0.999") for value in OBJECTIVES.split(",")]
        yield choice.options(options).current(_option("0.999", "0.999"))


def _listed(variable: Variable) -> dashboard.QueryVariable:
    built = dashboard.QueryVariable(variable.name).label(variable.label).description(variable.description)
    built.datasource(SOURCE).query({"query": variable.query, "refId": variable.name, "qryType": 1})
    built.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.NATURAL_ASC)
    if variable.only_one:
        return built
    built.multi(True).include_all(True).all_value(EVERYTHING)
    return built.current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))


def _option(text: str, value: str, *, chosen: bool = True) -> models.VariableOption:
    return models.VariableOption(selected=chosen, text=text, value=value)
