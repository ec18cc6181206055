"""From the description of a panel to a panel of the SDK. `BUILDERS` has one function per kind."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmap_models
from grafana_foundation_sdk.models import prometheus as queries
from grafana_foundation_sdk.models import text as text_models

from .model import Kind, Panel, Steps, Target

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
FORMATS = {"heat": queries.PromQueryFormat.HEATMAP, "table": queries.PromQueryFormat.TABLE}
INSTANT: tuple[Kind, ...] = ("bars", "table")


def build(panel: Panel, number: int, x: int, y: int) -> Any:
    """Return the SDK's builder of a panel with the id `number` at x and y of the grid."""
    built = BUILDERS[panel.kind](panel)
    built.id(number).title(panel.title).description(panel.description)
    built.grid_pos(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
    if panel.kind == "text":
        return built
    built.datasource(SOURCE).unit(panel.unit).no_value(panel.empty).thresholds(thresholds(panel.steps))
    if panel.low is not None and panel.kind != "heat":
        built.min(panel.low)
    if panel.high is not None:
        built.max(panel.high)
    if panel.states:
        mapped = {
            value: models.ValueMappingResult(text=shown, color=colour, index=place)
            for place, (value, shown, colour) in enumerate(panel.states)
        }
        built.mappings([models.ValueMap(options=mapped)])
    for reference, target in zip(ascii_uppercase, panel.targets, strict=False):
        built.with_target(_query(panel.kind, target, reference))
    return built


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Return absolute thresholds."""
    found = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def _query(kind: Kind, target: Target, reference: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(SOURCE).expr(target.expr).legend_format(target.legend).ref_id(reference)
    query.format(FORMATS.get(kind, queries.PromQueryFormat.TIME_SERIES))
    return query.instant() if kind in INSTANT else query.range()


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _bars(panel: Panel) -> Any:
    return (
        bargauge.Panel()
        .display_mode(common_models.BarGaugeDisplayMode.GRADIENT)
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .reduce_options(_last())
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    )


def _heat(panel: Panel) -> Any:
    colours = heatmap.HeatmapColorOptions().mode(heatmap_models.HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    return heatmap.Panel().calculate(False).color(colours.exponent(0.5)).y_axis(_y_axis(panel)).show_y_histogram()


def _y_axis(panel: Panel) -> heatmap.YAxisConfig:
    return heatmap.YAxisConfig().unit(panel.unit).axis_placement(common_models.AxisPlacement.LEFT)


def _lines(panel: Panel) -> Any:
    legend = common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.TABLE).show_legend(True)
    legend.placement(common_models.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    style = "DASHED" if len(panel.steps) > 1 else "OFF"
    mode = common_models.GraphThresholdsStyleMode[style]
    scale = common.ScaleDistributionConfig().type(common_models.ScaleDistribution["LOG" if panel.log else "LINEAR"])
    built = (
        timeseries.Panel()
        .legend(legend)
        .tooltip(tooltip.sort(common_models.SortOrder.DESCENDING))
        .line_width(1)
        .scale_distribution(scale.log(10) if panel.log else scale)
        .fill_opacity(25 if panel.share else 5)
        .show_points(common_models.VisibilityMode.NEVER)
        .stacking(common.StackingConfig().mode(common_models.StackingMode["NORMAL" if panel.share else "NONE"]))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
    )
    if panel.dashed:
        dashes = models.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [4, 4]})
        built.override_by_regexp(panel.dashed, [dashes, models.DynamicConfigValue("custom.fillOpacity", 0)])
    return built


def _state(panel: Panel) -> Any:
    return (
        statetimeline.Panel()
        .show_value(common_models.VisibilityMode.NEVER)
        .row_height(0.8)
        .merge_values(True)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    )


def _stat(panel: Panel) -> Any:
    return (
        stat.Panel()
        .reduce_options(_last())
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.AREA)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    )


def _table(panel: Panel) -> Any:
    """Return a table with one column per query; Grafana calls the columns `Value #A`, `Value #B`, ..."""
    columns = {f"Value #{letter}": target for letter, target in zip(ascii_uppercase, panel.targets, strict=False)}
    built = table.Panel().with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    arranged = {
        "excludeByName": {"Time": True},
        "indexByName": {},
        "renameByName": {name: target.title for name, target in columns.items()},
    }
    built.with_transformation(models.DataTransformerConfig(id_val="organize", options=arranged))
    for target in columns.values():
        properties = [
            models.DynamicConfigValue("unit", target.unit),
            models.DynamicConfigValue("decimals", 2),
            models.DynamicConfigValue("thresholds", thresholds(target.steps).build()),
        ]
        if target.bar:
            cell = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
            properties.append(models.DynamicConfigValue("custom.cellOptions", cell))
        elif len(target.steps) > 1:
            properties.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        built.override_by_name(target.title, properties)
    if panel.sort:
        built.sort_by([common.TableSortByFieldState().display_name(name).desc(False) for name in panel.sort])
    for label, uid in panel.links:
        address = f"/d/{uid}?var-datasource=${{datasource}}&${{__url_time_range}}"
        address += "".join(f"&var-{name}=${{__data.fields.{name}}}" for name in _labels_of(panel))
        link = {"title": f"Open {uid}", "url": address}
        built.override_by_name(label, [models.DynamicConfigValue("links", [link])])
    return built


def _labels_of(panel: Panel) -> tuple[str, ...]:
    """Return the labels that the first query of a table groups by and that are variables of other dashboards."""
    grouped = panel.targets[0].expr.split("by (", 1)[1].split(")", 1)[0].split(", ")
    return tuple(name for name in grouped if name in ("feature", "model", "namespace", "version"))


def _text(panel: Panel) -> Any:
    return text.Panel().mode(text_models.TextMode.MARKDOWN).content(panel.content)


BUILDERS: dict[Kind, Callable[[Panel], Any]] = {
    "bars": _bars,
    "heat": _heat,
    "lines": _lines,
    "state": _state,
    "stat": _stat,
    "table": _table,
    "text": _text,
}
