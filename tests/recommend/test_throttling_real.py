"""Throttling and limits of the past, from a real Prometheus: measured, inferred, or without a limit."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.recommend.compute import ContainerHistory
from pilotfish.sidecar.recommend.history import PrometheusServer, find_enforced, read_history
from pilotfish.sidecar.recommend.recommended import ContainerRecommendation
from tests.dashboards.prometheus import Prometheus
from tests.recommend.made import filled, pod, workload
from tests.recommend.series import recorded, series
from tests.support.apiserver.server import ApiServer
from tests.support.programs import needs

pytestmark = [pytest.mark.real, needs("prometheus", "promtool"), pytest.mark.timeout(300)]
SCRAPE = 30  # seconds
HOURS = 4
POD = pod(0)["metadata"]["name"]
UNLIMITED = {"requests": {"cpu": "2", "memory": "4Gi"}}


@dataclass(frozen=True)
class Scene:
    """What Prometheus has of one namespace: cores used, and by name the counters of cAdvisor, in units per second."""

    cores: float
    seconds: float | None = None
    throttled_periods: float | None = None
    request: float | None = None
    limit: float | None = None


# the running pods have a request of 2 cores and a limit of 4; periods are 10 in a second
SCENES = {
    "seconds": Scene(1.0, seconds=0.3, throttled_periods=0.0),
    "calm": Scene(3.9, seconds=0.01, throttled_periods=9.0),
    "periods": Scene(1.0, throttled_periods=3.0),
    "fewperiods": Scene(3.9, throttled_periods=2.0),
    "pastlimit": Scene(0.97, request=0.5, limit=1.0),
    "raisedlimit": Scene(3.9, request=4.0, limit=8.0),
    "pastfree": Scene(3.9, request=2.0),
    "nothing": Scene(3.9),
    "idle": Scene(0.5),
}


def samples(end: int) -> Iterator[str]:
    times = range(end - HOURS * 3600, end, SCRAPE)
    counters = {
        "container_cpu_usage_seconds": lambda scene: scene.cores,
        "container_cpu_cfs_throttled_seconds": lambda scene: scene.seconds,
        "container_cpu_cfs_throttled_periods": lambda scene: scene.throttled_periods,
        "container_cpu_cfs_periods": lambda scene: None if scene.throttled_periods is None else 10.0,
    }
    for name, rate in counters.items():
        yield f"# TYPE {name} counter"
        for namespace, scene in SCENES.items():
            if (each := rate(scene)) is not None:
                for at in times:
                    yield series(f"{name}_total", POD, "model", each * (at - times[0]), at, namespace)
    gauges = {
        "container_memory_working_set_bytes": lambda _scene: 2.0**30,
        "kube_pod_container_resource_requests": lambda scene: scene.request,
        "kube_pod_container_resource_limits": lambda scene: scene.limit,
    }
    for name, value in gauges.items():
        labels = {"resource": "cpu", "unit": "core"} if "resource" in name else {}
        yield f"# TYPE {name} gauge"
        for namespace, scene in SCENES.items():
            if (each := value(scene)) is not None:
                for at in times:
                    yield series(name, POD, "model", each, at, namespace, **labels)
    yield "# EOF"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    end = int(time.time()) // 60 * 60
    with recorded(tmp_path_factory.mktemp("prometheus"), samples(end), end) as found:
        yield found


def recommended(server: Prometheus, namespace: str, **changed: Any) -> ContainerRecommendation:
    found = workload(namespace=namespace, pods=1, **{"monitored": False, **changed})
    asked = PrometheusServer(server.url)
    enforced = find_enforced(asked, found, 1.0, server.started)
    history = ContainerHistory(found, found.containers()[0])
    for usages in read_history(asked, enforced, 1.0, server.started, lambda _what, _share: None):
        history.add(usages)
    result = history.recommended("prometheus", enforced.source)
    assert result is not None
    return result


@pytest.mark.parametrize("namespace", ["seconds", "periods"])
def test_measured_throttling_asks_for_more_than_the_use(server: Prometheus, namespace: str) -> None:
    found = recommended(server, namespace)
    assert (found.throttling.how, found.throttling.measure) == ("measured", namespace)
    assert found.throttling.samples == pytest.approx(HOURS * 60, abs=3)
    assert found.throttling.throttled == pytest.approx(HOURS * 60, abs=5)
    assert found.throttling.decides
    assert found.target["cpu"] >= 4, "twice the request of 2 cores"
    assert "measured by cAdvisor: " in found.throttling.text


@pytest.mark.parametrize("namespace", ["calm", "fewperiods"])
def test_a_measurement_wins_over_what_the_use_suggests(server: Prometheus, namespace: str) -> None:
    found = recommended(server, namespace)
    assert (found.throttling.how, found.throttling.throttled, found.throttling.decides) == ("measured", 0, False)


def test_the_seconds_win_over_the_periods(server: Prometheus) -> None:
    assert recommended(server, "calm").throttling.measure == "seconds"


def test_without_a_measurement_the_limits_of_the_past_are_compared_with_the_use(server: Prometheus) -> None:
    found = recommended(server, "pastlimit")
    assert (found.throttling.how, found.throttling.limits) == ("inferred", "kube-state-metrics")
    assert found.throttling.throttled == pytest.approx(HOURS * 60, abs=5), (
        "97% of the limit of then, 24% of the present"
    )
    raised = recommended(server, "raisedlimit")
    assert (raised.throttling.how, raised.throttling.throttled) == ("inferred", 0), "half of the limit of then"


def test_a_container_that_had_no_limit_was_not_throttled(server: Prometheus) -> None:
    found = recommended(server, "pastfree")
    assert (found.throttling.how, found.throttling.limits) == ("unlimited", "kube-state-metrics")


def test_without_limits_of_the_past_the_present_ones_count_and_that_is_said(server: Prometheus) -> None:
    found = recommended(server, "nothing")
    assert (found.throttling.how, found.throttling.limits) == ("inferred", "pods_now")
    assert found.throttling.throttled > 0
    assert "Prometheus has no limits of the past, so the present ones count for all of it" in found.throttling.text
    assert recommended(server, "idle").throttling.throttled == 0


def test_without_any_limit_that_is_said(server: Prometheus) -> None:
    found = recommended(server, "nothing", model=UNLIMITED)
    assert (found.throttling.how, found.throttling.limits) == ("unlimited", "pods_now")
    assert found.throttling.text.startswith("none: it has no CPU limit; Prometheus has no limits of the past")


def test_a_latency_target_that_cannot_be_checked_lets_throttling_ask_for_nothing(server: Prometheus) -> None:
    settings = {"container": "model", "cpu": {"max": 16}, "latency": {"quantile": 0.95, "target": "1s"}}
    found = recommended(server, "seconds", monitored=True, resources=settings)
    assert not found.throttling.decides
    assert found.throttling.throttled > 0
    assert "this command does not read the latency" in found.throttling.text


@pytest.mark.asyncio
async def test_the_command_shows_it(server: Prometheus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ApiServer() as api:
        filled(api, pods=1)
        for (kind, _, name), item in list(api.storage.objects.items()):
            item["metadata"]["namespace"] = "seconds"
            api.storage.objects[kind, "seconds", name] = item
        words = ["recommend", "-n", "seconds", "--kubeconfig", str(api.kubeconfig(tmp_path))]
        assert await asyncio.to_thread(cli.main, [*words, "--prometheus", server.url, "--output", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert await asyncio.to_thread(cli.main, [*words, "--prometheus", server.url]) == 0
    model = document["workloads"][0]["containers"][0]
    assert {name: model["recommended"]["throttling"][name] for name in ("how", "measure", "decides")} == {
        "how": "measured", "measure": "seconds", "decides": True,
    }  # fmt: skip
    assert "model throttling: measured by cAdvisor: " in capsys.readouterr().out
