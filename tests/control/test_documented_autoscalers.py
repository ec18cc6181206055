"""docs/examples/autoscalers: the manifests fit each other, the controller and a real API server.

`tests/cluster/test_keda.py` runs keda.yaml with real KEDA.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from pilotfish.sidecar.callers.authentication import AUDIENCE
from pilotfish.sidecar.control.manager.server.authorization import GET_SCALE, GROUP, RESOURCE
from pilotfish.sidecar.control.manager.server.backend import ScaleAnswer
from pilotfish.sidecar.control.manager.server.scaling import scale_body
from pilotfish.sidecar.control.manager.server.views import SCALE_PATH
from pilotfish.sidecar.telemetry.scaling_names import DESIRED_REPLICAS
from tests.dashboards import prometheus
from tests.dashboards.prometheus import ScrapeTarget
from tests.support.cluster import ControlPlane
from tests.support.processes import Children
from tests.support.programs import needs

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs/examples/autoscalers"
PAGE = (ROOT / "docs/scaling-metric.md").read_text()
NAMESPACE, MONITOR = "flights", "delays"


def documents(name: str) -> list[dict[str, Any]]:
    """Return the documents of an example."""
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


MONITOR_SPEC = documents("monitor.yaml")[0]["spec"]
KEDA = {(item["kind"], item["metadata"]["name"]): item for item in documents("keda.yaml")}
SCALED = KEDA["ScaledObject", MONITOR]["spec"]
HPA = documents("hpa.yaml")[0]["spec"]


def test_both_autoscalers_have_the_target_and_the_bounds_of_the_monitor() -> None:
    scaling = MONITOR_SPEC["scaling"]
    bounds = scaling["minReplicas"], scaling["maxReplicas"]
    assert (scaling["surface"], MONITOR_SPEC["mode"]) == ("metric", "act")
    assert (SCALED["minReplicaCount"], SCALED["maxReplicaCount"]) == bounds == (HPA["minReplicas"], HPA["maxReplicas"])
    assert SCALED["scaleTargetRef"] == MONITOR_SPEC["targetRef"] == HPA["scaleTargetRef"]


def test_keda_asks_for_what_the_controller_serves_with_the_right_that_it_needs() -> None:
    trigger = SCALED["triggers"][0]
    assert trigger["metadata"]["url"].endswith(f":8443{SCALE_PATH}{NAMESPACE}/{MONITOR}")
    assert trigger["metadata"]["valueLocation"] in scale_body(ScaleAnswer(desired=1))
    assert KEDA["Role", "pilotfish-keda"]["rules"] == [
        {
            "apiGroups": [GROUP],
            "resources": [f"{RESOURCE}/{GET_SCALE.subresource}"],
            "resourceNames": [MONITOR],
            "verbs": [GET_SCALE.verb],
        }
    ]
    assert f'"namespace": "{NAMESPACE}", "serviceAccountName": "pilotfish-keda", "audience": "{AUDIENCE}"' in PAGE


def test_the_hpa_and_the_adapter_name_the_metric_of_the_controller() -> None:
    external = HPA["metrics"][0]["external"]
    rule = documents("prometheus-adapter.yaml")[0]["externalRules"][0]
    assert external["metric"]["name"] == rule["name"]["as"] == DESIRED_REPLICAS.name
    assert external["metric"]["selector"]["matchLabels"] == {"monitor": MONITOR}
    assert set(DESIRED_REPLICAS.labels) == {"monitor", "namespace"}


@pytest.mark.real
@needs("prometheus")
@pytest.mark.asyncio
async def test_the_queries_of_the_adapter_find_the_number_of_one_monitor(tmp_path: Path, spawn: Children) -> None:
    async def metrics(_request: web.Request) -> web.Response:
        lines = (f'{DESIRED_REPLICAS.name}{{namespace="{NAMESPACE}",monitor="{MONITOR}"}} 5', "")
        other = f'{DESIRED_REPLICAS.name}{{namespace="other",monitor="{MONITOR}"}} 9'
        return web.Response(text="\n".join((other, *lines)))

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        target = ScrapeTarget("control", runner.addresses[0][1], {"namespace": "pilotfish-system"}, honor=True)
        server = await asyncio.to_thread(prometheus.start, tmp_path, spawn, [target])
        rule = documents("prometheus-adapter.yaml")[0]["externalRules"][0]
        found = await asyncio.to_thread(server.instant, rule["seriesQuery"])
        assert {one["metric"]["namespace"] for one in found} == {NAMESPACE, "other"}
        matchers = f'monitor="{MONITOR}",namespace="{NAMESPACE}"'  # of the HPA, and its namespace by the adapter
        query = rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers)
        assert [one["value"][1] for one in await asyncio.to_thread(server.instant, query)] == ["5"]
        documented = re.search(r"query: (max\(pilotfish_desired_replicas\{.*\}\))", PAGE)
        assert documented is not None
        assert [one["value"][1] for one in await asyncio.to_thread(server.instant, documented[1])] == ["5"]
    finally:
        await runner.cleanup()


@pytest.mark.real
def test_a_real_api_server_accepts_the_hpa_with_its_tolerance(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    text = (EXAMPLES / "hpa.yaml").read_text().replace(f"namespace: {NAMESPACE}", f"namespace: {namespace}")
    control_plane.kubectl("apply", "-f", "-", stdin=text)
    control_plane.kubectl("apply", "-f", "-", stdin=text)  # a second time changes nothing
    get = ("get", "hpa", MONITOR, "-n", namespace, "-o")
    assert control_plane.kubectl(*get, "jsonpath={.spec.behavior.scaleUp.tolerance}") == "0"
    assert control_plane.kubectl(*get, "jsonpath={.metadata.generation}") in {"", "1"}
