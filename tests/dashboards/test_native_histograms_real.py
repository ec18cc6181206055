"""With native histograms in Prometheus, in place of classic ones or beside them, panels and rules read the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboards.alerts import GROUPS
from dashboards.alerts.recorded import ANSWERED, REQUESTS, SLOW
from dashboards.alerts.rule import text_of
from dashboards.lint import OWN, metric_of, panels
from dashboards.promql import selectors
from pilotfish.sidecar.dashboards.files import load
from pilotfish.sidecar.telemetry.exposition import Exposition
from tests.control.receiver import receiving
from tests.dashboards.exporters import exposing
from tests.dashboards.prometheus import Prometheus, ScrapeTarget, start, substituted
from tests.dashboards.scene import NAMESPACE, SIDECARS, running
from tests.support.processes import Children
from tests.support.programs import needs_built
from tests.support.waiting import wait_until
from tests.telemetry.made import reading

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("native_histograms"),
    needs_built("prometheus"),
    pytest.mark.timeout(240),
]

PAGE = (Path(__file__).resolve().parents[2] / "docs/dashboards.md").read_text()
SCRAPES = 8  # before the first query
NATIVE = {"convert_classic_histograms_to_nhcb": True}
BOTH = {**NATIVE, "always_scrape_classic_histograms": True}
ONLY_CLASSIC = {("model", "Latency", "heatmap")}  # panels that docs/dashboards.md names


def reads_histogram(expr: str) -> bool:
    """Return whether a query reads a histogram, of Pilotfish or of another exporter."""
    read = {(metric_of(item.metric), item.metric) for item in selectors(expr)}
    return any(OWN[name].kind == "histogram" if name in OWN else name != series for name, series in read)


QUERIES = [
    pytest.param(file.name, panel, target, id=f"{file.name}-{panel['title']}-{panel['type']}-{target['refId']}")
    for file in load()
    for panel in panels(file.content)
    for target in panel.get("targets", ())
    if reads_histogram(target["expr"])
]


@dataclass(frozen=True)
class Servers:
    """Two Prometheus of the same targets: with native histograms alone, and with both kinds."""

    native: Prometheus
    both: Prometheus


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers, after a few scrapes of sidecars under traffic."""
    folder = tmp_path_factory.mktemp("native")
    spawn = Children(folder)
    made = Exposition(lambda: reading(folder / "page"))  # a value for every metric
    rules = text_of(GROUPS).replace("interval: 1m", "interval: 1s")
    try:
        with receiving() as receiver, exposing(lambda: made.render("text/plain")) as port:
            target = ScrapeTarget("pilotfish", port, {"namespace": "made", "pod": "made-0"})
            with running(folder, spawn, receiver.url, target) as scene:
                found = []
                for name, scrape in (("only", NATIVE), ("both", BOTH)):
                    (folder / name).mkdir()
                    found.append(start(folder / name, spawn, scene.targets, rules, **scrape))
                for one in found:
                    wait_until(lambda one=one: enough(one), timeout=120, what="scrapes and rules")  # type: ignore[misc]
                yield Servers(*found)
    finally:
        spawn.end()


def enough(server: Prometheus) -> bool:
    """Return whether the server has scraped every sidecar, and evaluated the rules."""
    scraped = server.value(f'min(count_over_time(pilotfish_ready{{namespace="{NAMESPACE}"}}[10m]))') >= SCRAPES
    return scraped and server.value(f"count({SLOW})") >= 1


def result(target: dict[str, Any], server: Prometheus) -> list[dict[str, Any]]:
    expr = substituted(target["expr"])
    return server.range(expr, 30, 3) if target["range"] else server.instant(expr)


@pytest.mark.parametrize(("name", "panel", "target"), QUERIES)
def test_a_panel_of_a_histogram_has_data(
    name: str, panel: dict[str, Any], target: dict[str, Any], servers: Servers
) -> None:
    assert result(target, servers.both), target["expr"]
    kept = (name, panel["title"], panel["type"]) not in ONLY_CLASSIC
    assert bool(result(target, servers.native)) == kept, target["expr"]


def test_only_the_series_that_were_asked_for_are_stored(servers: Servers) -> None:
    histogram = "pilotfish_request_duration_seconds"
    pods = len(SIDECARS)
    for suffix, native in (("", pods), ("_bucket", 0), ("_count", 0), ("_sum", 0)):
        counted = f'count(count by (pod) ({histogram}{suffix}{{namespace="{NAMESPACE}"}})) or vector(0)'
        assert (servers.native.value(counted), servers.both.value(counted)) == (native, pods), suffix


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_of_both_kinds_is_the_same(share: float, servers: Servers) -> None:
    scope = f'{{namespace="{NAMESPACE}"}}[1m]'
    histogram = "pilotfish_request_duration_seconds"
    classic = servers.both.value(f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket{scope})))")
    native = servers.native.value(f"histogram_quantile({share}, sum(rate({histogram}{scope})))")
    beside = servers.both.value(f"histogram_quantile({share}, sum(rate({histogram}{scope})))")
    assert 0 < classic < math.inf
    assert beside == pytest.approx(classic, rel=0.05)
    assert native == pytest.approx(classic, rel=0.5), "scraped at other moments"


@pytest.mark.parametrize("kind", ["native", "both"])
def test_recording_rules_count_answers_and_slow_ones(kind: str, servers: Servers) -> None:
    server: Prometheus = getattr(servers, kind)
    requests, answered, slow = (server.value(f"sum({name})") for name in (REQUESTS, ANSWERED, SLOW))
    assert requests > 1
    assert answered == pytest.approx(requests, rel=0.1)
    assert 0 <= slow < answered / 10


def test_the_page_names_the_panels_that_need_classic_series() -> None:
    section = PAGE.partition("## Native histograms")[2].partition("\n## ")[0]
    assert {(name, title, kind) for name, title, kind in ONLY_CLASSIC if f'"{title}"' in section} == ONLY_CLASSIC
