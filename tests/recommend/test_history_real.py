"""Days of cAdvisor's series in a real Prometheus become the use of containers, and then a recommendation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.recommend.history import HOUR, NoSeriesError, PrometheusServer, find_enforced, read_history
from tests.dashboards.prometheus import Prometheus
from tests.recommend.made import filled, pod, workload
from tests.recommend.series import recorded, series
from tests.support.apiserver.server import ApiServer
from tests.support.programs import needs

pytestmark = [pytest.mark.real, needs("prometheus", "promtool"), pytest.mark.timeout(300)]
SCRAPE = 30  # seconds
HOURS = 30
OLD = "delays-5b6c7-xyz12"  # a pod that was replaced
GIB = 2**30


def samples(end: int) -> Iterator[str]:
    """Yield the series of a model in OpenMetrics: half a core, one core in the last hour, and a peak of memory.

    The old pod runs for the first 6 hours. Sums of pods, sandboxes and other pods have much larger values.
    """
    start = end - HOURS * 3600
    current = pod(0)["metadata"]["name"]
    times = range(start, end, SCRAPE)
    yield "# TYPE container_cpu_usage_seconds counter"
    for name, container, cores in (
        (current, "model", 0.5),
        (current, "", 9),
        (current, "POD", 9),
        ("other", "model", 9),
    ):
        used = 0.0
        for at in times:
            used += SCRAPE * (2 * cores if at >= end - 3600 else cores)
            yield series("container_cpu_usage_seconds_total", name, container, used, at, cpu="total")
    for at in times:
        if at < start + 6 * 3600:
            yield series("container_cpu_usage_seconds_total", OLD, "model", 0.25 * (at - start), at, cpu="total")
    yield "# TYPE container_memory_working_set_bytes gauge"
    for name, container in ((current, "model"), (current, ""), ("other", "model")):
        for at in times:
            value = 2 * GIB if at == start + 7230 else GIB
            yield series("container_memory_working_set_bytes", name, container, value if container else 9 * GIB, at)
    yield "# EOF"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    end = int(time.time()) // 60 * 60
    with recorded(tmp_path_factory.mktemp("prometheus"), samples(end), end) as found:
        yield found


def read(server: Prometheus, days: float = 2.0, **changed: Any) -> list[list[ContainerUsage]]:
    asked = PrometheusServer(server.url)
    enforced = find_enforced(asked, workload(**changed), days, server.started)
    return list(read_history(asked, enforced, days, server.started, lambda _what, _share: None))


def test_the_use_of_present_and_past_pods_is_read_for_each_minute(server: Prometheus) -> None:
    batches = read(server)
    times = [batch[0].at for batch in batches]
    assert times == sorted(set(times))
    assert len(times) == pytest.approx(HOURS * 60, abs=3)
    found = [one for batch in batches for one in batch]
    assert {one.container for one in found} == {"model"}, "neither the pod's sum nor the sandbox"
    assert {one.pod_uid for one in found} == {pod(0)["metadata"]["name"], OLD}, "not the other workload"
    old = [one.cpu_cores for one in found if one.pod_uid == OLD and one.cpu_cores is not None]
    assert old[1:-1] == pytest.approx([0.25] * (len(old) - 2), rel=0.02), "the first and the last are from two scrapes"
    assert len(old) == pytest.approx(6 * 60, abs=5)
    last = [one.cpu_cores for one in found if one.at > times[-1] - 0.9 * HOUR and one.cpu_cores is not None]
    assert last == pytest.approx([1.0] * len(last), rel=0.02)


def test_a_peak_of_memory_between_two_steps_is_seen(server: Prometheus) -> None:
    peaks = [one for batch in read(server) for one in batch if (one.memory_bytes or 0) > 1.5 * GIB]
    assert {one.memory_bytes for one in peaks} == {2 * GIB}
    assert 1 <= len(peaks) <= 2


def test_a_shorter_history_is_read_if_asked_for(server: Prometheus) -> None:
    assert len(read(server, days=0.25)) == pytest.approx(6 * 60, abs=2)


def test_a_server_without_these_series_is_named(server: Prometheus) -> None:
    with pytest.raises(NoSeriesError, match=r"no series container_memory_working_set_bytes of .* scrapes cAdvisor"):
        read(server, days=0.25, namespace="elsewhere")


@pytest.mark.asyncio
async def test_the_command_recommends_by_the_history(
    server: Prometheus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ApiServer() as api:
        words = ["recommend", "-n", "shop", "--kubeconfig", str(filled(api, pods=1).kubeconfig(tmp_path))]
        asked = [*words, "--prometheus", server.url, "--days", "2", "--output", "json"]
        assert await asyncio.to_thread(cli.main, asked) == 0
    (found,) = json.loads(capsys.readouterr().out)["workloads"]
    model = found["containers"][0]
    assert model["recommended"]["source"] == "prometheus"
    assert model["recommended"]["confidence_days"] == pytest.approx(HOURS / 24, rel=0.1)
    assert 0.5 < cores(model["recommended"]["target"]["cpu"]) < 1.3
    assert model["proposed"]["requests"].keys() == {"cpu", "memory"}
    assert model["cost_change_30_days"] < 0


def cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)
