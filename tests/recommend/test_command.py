"""The command against an API server: which sources it uses, with rights to read only, and what it says without them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar import cli
from tests.recommend.made import MONITORS, POD_METRICS, STATUS, filled, measured
from tests.support.apiserver.server import ApiServer

Captured = pytest.CaptureFixture[str]


async def recommended(api: ApiServer, folder: Path, *words: str, namespace: str = "shop") -> int:
    argv = ["recommend", "-n", namespace, "--kubeconfig", str(api.kubeconfig(folder)), *words]
    return await asyncio.to_thread(cli.main, argv)


def containers(captured: Captured) -> list[dict[str, Any]]:
    """Return the containers of the only workload in the JSON that was printed."""
    (found,) = json.loads(captured.readouterr().out)["workloads"]
    return list(found["containers"])


@pytest.mark.asyncio
async def test_the_status_is_shown_with_get_and_list_only(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        assert await recommended(filled(api, STATUS), tmp_path, "--output", "json") == 0
        asked = {(call.method, call.path) for call in api.calls}
    model, proxy = containers(capsys)
    assert (model["recommended"]["source"], proxy["recommended"]) == ("status", None)
    assert asked == {
        ("GET", "/apis/pilotfish.dev/v1alpha1/namespaces/shop/modelmonitors"),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/delays"),
        ("GET", "/api/v1/namespaces/shop/pods"),
        ("GET", "/api/v1/namespaces/shop/limitranges"),
        ("GET", "/api/v1/namespaces/shop/resourcequotas"),
    }


@pytest.mark.asyncio
async def test_the_table_is_for_people_and_yaml_for_kubectl(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        assert await recommended(filled(api, STATUS), tmp_path) == 0
        table = capsys.readouterr().out
        assert await recommended(api, tmp_path, "--output", "yaml") == 0
    assert table.startswith("deployment/delays in shop: 3 running pods, monitor delays\n")
    assert "\x1b" not in table
    (patch,) = (one for one in yaml.safe_load_all(capsys.readouterr().out) if one)
    assert patch["spec"]["template"]["spec"]["containers"][0]["name"] == "model"


@pytest.mark.asyncio
async def test_without_a_status_the_use_is_sampled(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        filled(api).storage.objects[POD_METRICS, "shop", "0"] = measured(0)
        assert await recommended(api, tmp_path, "--for", "1ms", "--output", "json") == 0
    model, proxy = containers(capsys)
    assert (model["recommended"]["source"], proxy["recommended"]["source"]) == ("metrics", "metrics")
    assert model["recommended"]["confidence_days"] < 0.1


@pytest.mark.asyncio
async def test_other_containers_are_measured_only_if_asked_for(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        filled(api, STATUS).storage.objects[POD_METRICS, "shop", "0"] = measured(0)
        assert await recommended(api, tmp_path, "--for", "1ms", "--output", "json") == 0
        both = containers(capsys)
        assert await recommended(api, tmp_path, "--ignore-status", "--for", "1ms", "--output", "json") == 0
        anew = containers(capsys)
    assert [one["recommended"]["source"] for one in both] == ["status", "metrics"]
    assert [one["recommended"]["source"] for one in anew] == ["metrics", "metrics"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "without", [{"missing": {"pilotfish.dev"}}, {"allows": lambda _user, call: "pilotfish" not in call.path}]
)
async def test_a_workload_needs_no_monitor(tmp_path: Path, capsys: Captured, without: dict[str, Any]) -> None:
    async with ApiServer(**without) as api:
        filled(api).storage.objects[POD_METRICS, "shop", "0"] = measured(0)
        status = await recommended(api, tmp_path, "--workload", "deploy/delays", "--for", "1ms", "--output", "json")
    model = containers(capsys)[0]
    assert model["recommended"]["target"].keys() == {"cpu", "memory"}
    assert model["not_applied"] == "no ModelMonitor names this workload"
    assert status == (1 if "allows" in without else 0), "a line on standard error says which right is missing"


@pytest.mark.asyncio
async def test_a_monitor_that_names_the_workload_counts(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        await recommended(filled(api, STATUS), tmp_path, "--workload", "deploy/delays", "--output", "json")
    assert containers(capsys)[0]["recommended"]["source"] == "status"


@pytest.mark.asyncio
async def test_one_broken_monitor_hides_no_other(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        lost = filled(api, STATUS).storage.objects[MONITORS, "shop", "delays"] | {
            "metadata": {"namespace": "shop", "name": "lost"},
            "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}},
        }
        api.storage.objects[MONITORS, "shop", "lost"] = lost
        assert await recommended(api, tmp_path) == 1
    captured = capsys.readouterr()
    assert "deployment/delays" in captured.out
    assert "Deployment 'gone' of apps/v1 does not exist" in captured.err


ERRORS: list[tuple[Sequence[str], str]] = [
    (("--monitor", "none"), "there is no ModelMonitor 'none' in namespace shop"),
    (("--workload", "deploy/none"), "Deployment 'none' of apps/v1 does not exist"),
    (("--workload", "none"), "give KIND/NAME; the kinds are"),
    (("--for", "soon"), "--for 'soon': give a duration"),
    (("--days", "0"), "--days 0: give more than 0"),
    (("--prometheus", "http://h", "--for", "1m"), "exclude each other"),
    (("--ignore-status", "--prometheus", "h:9090"), "--prometheus 'h:9090': give an address"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("words", "told"), ERRORS)
async def test_what_cannot_be_done_is_said(words: Sequence[str], told: str, tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        assert await recommended(filled(api, STATUS), tmp_path, *words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.asyncio
async def test_a_namespace_without_a_monitor_is_said(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer() as api:
        assert await recommended(filled(api, STATUS), tmp_path, namespace="empty") == 2
    assert "no ModelMonitor in namespace empty; check its name, or give --workload" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_a_user_without_the_right_to_list_pods_is_told_so(tmp_path: Path, capsys: Captured) -> None:
    async with ApiServer(allows=lambda _user, call: not call.path.endswith("/pods")) as api:
        assert await recommended(filled(api, STATUS), tmp_path) == 2
    assert "GET /api/v1/namespaces/shop/pods failed: 403" in capsys.readouterr().err
