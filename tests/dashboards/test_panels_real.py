"""A real Prometheus scrapes real sidecars under drifting traffic: each query of each panel returns what it should."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.alerts import usage
from dashboards.lint import panels
from pilotfish.sidecar.dashboards.files import load
from pilotfish.sidecar.telemetry.exposition import Exposition
from tests.control.receiver import receiving
from tests.dashboards import exporters
from tests.dashboards.cluster import FLEET_MODEL, RECOMMENDED, REQUESTED
from tests.dashboards.exporters import exposing
from tests.dashboards.prometheus import ScrapeTarget, substituted
from tests.dashboards.rendering import BROWSER, screenshot, size_of, svg_of, titles
from tests.dashboards.scene import MODEL, NAMESPACE, SIDECARS, Scene, running
from tests.support.processes import Children
from tests.support.programs import needs
from tests.support.waiting import wait_until
from tests.telemetry.made import HOSTILE, reading

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("panels"),
    needs("prometheus"),
    pytest.mark.timeout(300),
]

WARM_UP, DRIFTED = 8, 15.0  # scrapes before the drift, and seconds of traffic after it
DASHBOARDS = {file.name: file.content for file in load()}
TARGETS = [
    (name, panel["title"], target["refId"], target)
    for name, content in DASHBOARDS.items()
    for panel in panels(content)
    for target in panel.get("targets", ())
]
EMPTY = {
    ("actions", "Given up"): "every receiver accepts what it is sent",
    ("fleet", "Pods without a profile"): "every sidecar has a profile",
    ("resources", "Cost of a million tokens"): "no token is counted while the scene runs",
    ("resources", "GPU of a million tokens"): "no token is counted while the scene runs",
    ("own", "Dropped exchanges"): "the proxy hands over every exchange",
    ("own", "Monitors whose ticks wait"): "enough pods of the made controller are heard",
}  # panels that are rightly empty here


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The scene after its drift, with one more pod that has a value for every metric, and hostile names."""
    folder = tmp_path_factory.mktemp("scene")
    spawn = Children(folder)
    made = Exposition(lambda: reading(folder / "page"))
    try:
        began = time.time()

        def everything() -> str:
            seconds = time.time() - began
            idle = exporters.line("container_cpu_usage_seconds_total", 0.1 * seconds, container="model", cpu="total")
            return made.render("text/plain")[0].decode() + exporters.gpus(seconds) + idle + "\n"

        with receiving() as receiver, exposing(everything) as port:
            target = ScrapeTarget("pilotfish", port, {"namespace": "made", "pod": "made-0"})
            with running(folder, spawn, receiver.url, target) as one:
                oldest = "min(count_over_time(pilotfish_ready[10m]))"
                wait_until(lambda: one.prometheus.value(oldest) >= WARM_UP, timeout=120, what="warm traffic")
                one.traffic.drift.set()
                opened = f'count(sum by (pod) (pilotfish_episodes_open{{namespace="{NAMESPACE}", monitor=""}}) > 0)'
                wait_until(lambda: one.prometheus.value(opened) >= len(SIDECARS), timeout=90, what="the drift")
                end = time.monotonic() + DRIFTED
                wait_until(lambda: time.monotonic() > end, timeout=DRIFTED * 2, what="more scrapes")
                assert not one.traffic.failures
                yield one
    finally:
        spawn.end()


@pytest.mark.parametrize(
    ("name", "title", "reference", "target"), TARGETS, ids=[f"{item[0]}-{item[1]}-{item[2]}" for item in TARGETS]
)
def test_a_query_returns_series(name: str, title: str, reference: str, target: dict[str, Any], scene: Scene) -> None:
    expr = substituted(target["expr"])
    found = scene.prometheus.range(expr, 60, 2) if target["range"] else scene.prometheus.instant(expr)
    assert bool(found) != ((name, title) in EMPTY), expr


def panel(scene: Scene, name: str, title: str, place: int = 0, **chosen: str) -> list[tuple[dict[str, str], float]]:
    """Return labels and last value of each series of one query."""
    found = next(item for item in panels(DASHBOARDS[name]) if item["title"] == title and item["type"] != "heatmap")
    chosen = {"namespace": NAMESPACE, **chosen}
    result = scene.prometheus.instant(substituted(found["targets"][place]["expr"], chosen))
    return [(item["metric"], float(item["value"][1])) for item in result]


def only(found: list[tuple[dict[str, str], float]]) -> float:
    """Return the value of the only series."""
    ((_, value),) = found
    return value


def test_traffic_is_that_of_the_clients(scene: Scene) -> None:
    assert only(panel(scene, "fleet", "Pods")) == len(SIDECARS)
    assert {labels["version"] for labels, _ in panel(scene, "fleet", "All models")} == {"3", "4"}
    assert only(panel(scene, "model", "Pods", version="4")) == 1
    rates = {labels["version"]: value for labels, value in panel(scene, "model", "Requests by version")}
    assert set(rates) == {"3", "4"}
    assert 1.2 < rates["3"] / rates["4"] < 3, "two pods of version 3 and one of version 4 have equal clients"
    assert only(panel(scene, "model", "Requests", version="4")) == pytest.approx(rates["4"], rel=0.3)
    assert 0.002 < only(panel(scene, "fleet", "Errors")) < 0.08, "one request in 50 fails"
    routes = {labels["route"] for labels, _ in panel(scene, "model", "Requests by route")}
    assert routes == {f"POST /v2/models/{MODEL}/infer"}


def test_drift_is_shown_by_model_feature_and_action(scene: Scene) -> None:
    psi = {labels["feature"]: value for labels, value in panel(scene, "feature", "Population stability index")}
    assert psi["distance"] > 0.25
    assert psi["hour"] < 0.1
    assert "basket" in psi, "the feature of the controller's model"
    chosen = panel(scene, "feature", "Population stability index", feature="hour")
    assert {labels["feature"] for labels, _ in chosen} == {"hour"}
    top = max(panel(scene, "model", "Features with most evidence"), key=lambda item: item[1])
    assert top[0]["feature"] in ("distance", "y")
    states = {(labels["model"], value) for labels, value in panel(scene, "fleet", "Drift episodes")}
    assert states == {(MODEL, 1.0), (FLEET_MODEL, 0.0)}
    executed = scene.prometheus.instant(
        substituted(next(item for item in TARGETS if item[:2] == ("actions", "Executed"))[3]["expr"])
    )
    assert float(executed[0]["value"][1]) >= len(SIDECARS), "each sidecar asks for a retraining once"


def test_a_drifted_feature_has_intervals_a_distribution_and_an_onset(scene: Scene) -> None:
    title = "Distribution now and in the reference"
    reference, now = (
        {
            labels["bin"]: value
            for labels, value in panel(scene, "feature", title, place, feature="distance", version="3")
        }
        for place in (0, 1)
    )
    assert reference.keys() == now.keys()
    assert 8 < len(now) <= 13
    assert sum(reference.values()) == pytest.approx(1, abs=0.01)
    assert sum(now.values()) == pytest.approx(1, abs=0.01)
    inner = sorted(name for name in now if " to " in name)
    assert now[inner[-1]] > reference[inner[-1]], "distances have become larger"
    assert now[inner[0]] < reference[inner[0]]
    changes = panel(scene, "feature", "Change of the shares", feature="distance", version="3")
    assert sum(value for _, value in changes) == pytest.approx(0, abs=0.01)
    lower, upper = (
        only(panel(scene, "feature", "Population stability index", place, feature="distance", version="3"))
        for place in (1, 2)
    )
    assert 0.1 < lower < upper
    assert not panel(scene, "feature", "Population stability index", 1, feature="hour"), "it has not drifted"
    table = next(item for item in panels(DASHBOARDS["feature"]) if item["title"] == "Features")
    place = next(at for at, target in enumerate(table["targets"]) if "onset" in target["expr"])
    since = panel(scene, "feature", "Features", place, feature="distance")
    assert {labels["version"] for labels, _ in since} == {"3", "4"}
    assert all(DRIFTED - 2 < value < time.time() - scene.began for _, value in since)


def test_labels_give_a_loss_near_the_reference(scene: Scene) -> None:
    losses = panel(scene, "model", "Loss against the reference")
    assert {labels["kind"] for labels, _ in losses} >= {"realized", "reference"}
    assert all(0.7 < value < 1.4 for _, value in losses)
    outcomes = {labels["outcome"]: value for labels, value in panel(scene, "model", "Labels by outcome")}
    assert outcomes["joined"] > 10


NUMBERS = {
    ("actions", "Replicas of HorizontalPodAutoscalers", 2): exporters.MAX_REPLICAS,
    ("actions", "Request relative to the recommendation", 0): REQUESTED / RECOMMENDED,
    ("fleet", "Replicas against the maximum", 0): exporters.REPLICAS / exporters.MAX_REPLICAS,
    ("model", "Batch size", 0): exporters.BATCH,
    ("model", "Time in queue", 0): exporters.QUEUE_MICROSECONDS,
    ("model", "Time of computation", 0): exporters.COMPUTE_MICROSECONDS,
    ("model", "Tokens", 1): exporters.TOKENS_PER_SECOND,
    ("resources", "CPU throttling", 0): exporters.THROTTLED,
    ("resources", "CPU of the limit", 0): exporters.CORES / exporters.CORES_LIMIT,
    ("resources", "CPU: use, requests, limits", 0): exporters.CORES * len(SIDECARS),
    ("resources", "CPU: use, requests, limits", 2): exporters.CORES_LIMIT * len(SIDECARS),
    ("resources", "GPU utilisation", 0): exporters.GPU_PERCENT / 100,
    ("resources", "Memory of the limit", 0): exporters.MEMORY / exporters.MEMORY_LIMIT,
}  # what the exporters' known rates give


@pytest.mark.parametrize(("name", "title", "place"), NUMBERS, ids=[f"{item[1]}-{item[2]}" for item in NUMBERS])
def test_numbers_of_other_exporters_are_right(name: str, title: str, place: int, scene: Scene) -> None:
    found = panel(scene, name, title, place)
    assert found
    assert all(value == pytest.approx(NUMBERS[name, title, place], rel=0.25) for _, value in found), found


def test_attributed_and_idle_use_add_up_to_what_exporters_measured(scene: Scene) -> None:
    def total(*names: str) -> float:
        return scene.prometheus.value(" + ".join(f"(sum({name}) or vector(0))" for name in names))

    assert total(usage.GPU) == pytest.approx(exporters.GPU_BUSY * len(SIDECARS), rel=0.01)
    assert total(usage.GPU, usage.GPU_IDLE) == pytest.approx(len(SIDECARS), rel=0.01)
    assert total(usage.ENERGY, usage.POWER_IDLE) == pytest.approx(total(usage.POWER), rel=0.05)
    assert total(usage.CPU, usage.CPU_IDLE) == pytest.approx(total(usage.CPU_MEASURED), rel=0.05)
    assert min(total(usage.ENERGY), total(usage.CPU)) > 0


def test_variables_list_the_values_of_their_label(scene: Scene) -> None:
    values: dict[str, set[str]] = {}
    for item in DASHBOARDS["feature"]["templating"]["list"] + DASHBOARDS["actions"]["templating"]["list"]:
        if item["type"] == "query":
            chosen = {"namespace": f"{NAMESPACE}|made"}
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", item["query"]["query"]).groups()  # type: ignore[union-attr]
            query = urllib.parse.urlencode({"match[]": substituted(selector, chosen)})
            with urllib.request.urlopen(f"{scene.prometheus.url}/api/v1/label/{label}/values?{query}") as response:
                values[item["name"]] = set(json.load(response)["data"])
    assert values["namespace"] >= {NAMESPACE, "made"}
    assert values["model"] == {MODEL, FLEET_MODEL, "m"}
    assert values["version"] == {"3", "4", "7", "11"}
    assert values["pod"] == {*SIDECARS, "made-0"}
    assert values["feature"] == {"distance", "hour", "carrier", "y", "loss", "basket", HOSTILE}
    assert values["monitor"] == {FLEET_MODEL}


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_picture_shows_every_panel(name: str, scene: Scene, tmp_path: Path) -> None:
    svg, width, height = svg_of(DASHBOARDS[name], scene.prometheus, 90, {"namespace": NAMESPACE})
    assert all(title in svg for title in titles(DASHBOARDS[name]))
    assert "Not Grafana" in svg
    if name == "fleet":  # the browser takes seconds
        screenshot(svg, width, height, tmp_path / "fleet.png")
        assert size_of(tmp_path / "fleet.png") == (width, height)
