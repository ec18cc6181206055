"""promtool evaluates the recording rules of resources: sharing out, conservation, labels, prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from dashboards.alerts import GROUPS, usage
from tests.alerts.test_rules_real import RULE_FILE, checked
from tests.alerts.usage_cases import (
    EXPORTED,
    HONOURED,
    MINUTES,
    DeviceCase,
    PodCase,
    series_of_device,
    series_of_pod,
)
from tests.support.programs import find, needs

pytestmark = [pytest.mark.real, needs("promtool")]
SAME = 1e-9
ROUNDING = 1000.0  # promtool compares exactly: values are compared as whole thousandths

TWO = (
    PodCase("a", {"/a": 1.5, "/b": 0.5}, cores=2.0, memory=2 * 2**30, requests=10.0),
    PodCase("b", {"/a": 6.0}, cores=0.5, memory=2**30, version="8", requests=5.0),
)
SHARED = DeviceCase("GPU-1", ("a", "b"), busy=0.8, watts=400.0)


def evaluate(
    folder: Path,
    pods: Iterable[PodCase],
    devices: Iterable[DeviceCase] = (),
    *,
    labels: str = HONOURED,
    expected: Mapping[str, Mapping[str, float]],
) -> None:
    """Let promtool compare each expression with its value by labels, at the end of the series."""
    series: dict[str, str] = {}
    for pod in pods:
        series |= series_of_pod(pod)
    for device in devices:
        series |= series_of_device(device, labels)
    tests = [
        {
            "expr": f"round(1000 * ({expr}))",
            "eval_time": f"{MINUTES}m",
            "exp_samples": [{"labels": name, "value": round(ROUNDING * value)} for name, value in values.items()],
        }
        for expr, values in expected.items()
    ]
    listed = [{"series": name, "values": values} for name, values in series.items()]
    content = {
        "rule_files": [str(RULE_FILE)],
        "evaluation_interval": "1m",
        "group_eval_order": [group.name for group in GROUPS],
        "tests": [{"interval": "1m", "input_series": listed, "promql_expr_test": tests}],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump(content))
    checked(find("promtool") or "", "test", "rules", str(path))


def route(version: str, name: str) -> str:
    return f'{{namespace="shop", model="delays", version="{version}", route="{name}"}}'


def test_cpu_is_shared_out_by_in_flight_time(tmp_path: Path) -> None:
    evaluate(
        tmp_path,
        TWO,
        expected={
            f"sum by (namespace, model, version, route) ({usage.CPU})": {
                route("7", "/a"): 1.5,
                route("7", "/b"): 0.5,
                route("8", "/a"): 0.5,
            },
            f"sum({usage.CPU_MEASURED})": {"{}": 2.5},
            f"sum({usage.CPU_PER_REQUEST})": {"{}": 2.0 / 10 + 0.5 / 5},
            f"max({usage.THROTTLED})": {"{}": 0.1},
        },
    )


def test_cpu_without_a_request_in_flight_is_idle(tmp_path: Path) -> None:
    quiet = PodCase("quiet", {"/a": 0.0}, cores=0.3)
    evaluate(
        tmp_path,
        (*TWO, quiet),
        expected={
            f"sum({usage.CPU_IDLE})": {"{}": 0.3},
            f"sum({usage.CPU}) + sum({usage.CPU_IDLE}) - sum({usage.CPU_MEASURED})": {"{}": 0.0},
        },
    )


@pytest.mark.parametrize("labels", [HONOURED, EXPORTED])
@pytest.mark.parametrize("profiling", [False, True])
def test_a_shared_card_is_shared_out_once(labels: str, profiling: bool, tmp_path: Path) -> None:
    device = DeviceCase("GPU-1", ("a", "b"), busy=0.8, watts=400.0, profiling=profiling, counter=profiling)
    evaluate(
        tmp_path,
        TWO,
        [device],
        labels=labels,
        expected={
            f"sum by (version) ({usage.GPU})": {'{version="7"}': 0.2, '{version="8"}': 0.6},
            f"sum by (version) ({usage.ENERGY})": {'{version="7"}': 100.0, '{version="8"}': 300.0},
            f"sum({usage.GPU}) + sum({usage.GPU_IDLE})": {"{}": 1.0},
            f"sum({usage.ENERGY}) + sum({usage.POWER_IDLE})": {"{}": 400.0},
            f"sum({usage.GPU_PER_REQUEST})": {"{}": 0.2 / 10 + 0.6 / 5},
        },
    )


def test_a_pod_with_two_cards_has_both(tmp_path: Path) -> None:
    devices = [DeviceCase("GPU-1", ("a",), 0.5, 200.0), DeviceCase("GPU-2", ("a",), 0.3, 100.0)]
    evaluate(
        tmp_path,
        TWO,
        devices,
        expected={
            f"sum by (route) ({usage.GPU})": {'{route="/a"}': 0.6, '{route="/b"}': 0.2},
            f"sum({usage.ENERGY})": {"{}": 300.0},
            f"sum({usage.GPU}) + sum({usage.GPU_IDLE})": {"{}": 2.0},
        },
    )


def test_instances_of_a_card_have_their_own_time_and_share_its_energy(tmp_path: Path) -> None:
    devices = [
        DeviceCase("GPU-1", ("a",), 0.4, 300.0, instance="1", profiling=True),
        DeviceCase("GPU-1", ("b",), 0.9, 300.0, instance="2", profiling=True),
    ]
    evaluate(
        tmp_path,
        TWO,
        devices,
        expected={
            f"sum by (version) ({usage.GPU})": {'{version="7"}': 0.4, '{version="8"}': 0.9},
            f"sum by (version) ({usage.ENERGY})": {'{version="7"}': 75.0, '{version="8"}': 225.0},
        },
    )


def test_a_card_that_another_pod_uses_unseen_is_not_shared_out(tmp_path: Path) -> None:
    other = PodCase("other", {}, sidecar=False)
    device = DeviceCase("GPU-1", ("a", "b", "other"), busy=0.8, watts=400.0)
    evaluate(
        tmp_path,
        (*TWO, other),
        [device, DeviceCase("GPU-2", ("a",), 0.5, 100.0)],
        expected={
            f"sum({usage.GPU})": {"{}": 0.5},
            f"sum({usage.ENERGY})": {"{}": 100.0},
            f"sum by (UUID) ({usage.GPU_IDLE})": {'{UUID="GPU-1"}': 1.0, '{UUID="GPU-2"}': 0.5},
            f"sum by (UUID) ({usage.POWER_IDLE})": {'{UUID="GPU-1"}': 400.0, '{UUID="GPU-2"}': 0.0},
        },
    )


def test_a_card_without_requests_in_flight_is_idle(tmp_path: Path) -> None:
    quiet = PodCase("quiet", {"/a": 0.0})
    evaluate(
        tmp_path,
        [quiet],
        [DeviceCase("GPU-1", ("quiet",), 0.1, 60.0)],
        expected={
            f"sum({usage.GPU}) or vector(-1)": {"{}": -1.0},
            f"sum({usage.GPU_IDLE})": {"{}": 1.0},
            f"sum({usage.POWER_IDLE})": {"{}": 60.0},
        },
    )


def test_prices_of_the_document_give_the_cost(tmp_path: Path) -> None:
    prices = {"cpu": 0.04, "gpu": 2.0, "memory": 0.005, "energy": 0.3}
    pod = PodCase("a", {"/a": 2.0}, cores=2.0, memory=4 * 2**30, requests=10.0, prices=prices)
    hour = {"cpu": 0.08, "gpu": 1.0, "memory": 0.02, "energy": 0.06}
    evaluate(
        tmp_path,
        [pod],
        [DeviceCase("GPU-1", ("a",), 0.5, 200.0)],
        expected={
            f"3600 * sum by (resource) ({usage.COST})": {
                f'{{resource="{resource}"}}': cost for resource, cost in hour.items()
            },
            f"1e6 * sum({usage.COST_PER_REQUEST})": {"{}": 1e6 * sum(hour.values()) / 36000},
        },
    )


def test_without_devices_and_prices_there_is_no_gpu_and_no_cost(tmp_path: Path) -> None:
    evaluate(
        tmp_path,
        TWO,
        expected={
            f"count({usage.GPU} or {usage.COST} or {usage.GPU_IDLE}) or vector(0)": {"{}": 0.0},
        },
    )


def test_health_checks_take_their_share_and_cost_no_request(tmp_path: Path) -> None:
    pod = PodCase("a", {"/a": 0.9, "probes": 0.1}, cores=1.0, requests=10.0)
    evaluate(
        tmp_path,
        [pod],
        expected={
            f"sum by (route) ({usage.CPU})": {'{route="/a"}': 0.9, '{route="probes"}': 0.1},
            f"sum({usage.CPU_PER_REQUEST})": {"{}": 0.09},
        },
    )
