"""`pilotfish doctor` reads a cluster, prints a table or JSON, and ends with a status."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.doctor.gather import KINDS
from tests.doctor.healthy import RELEASE, injected, objects, plain_pod
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.problems import Problem
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind


def fill(api: ApiServer, **changes: list[dict[str, Any]]) -> None:
    """Store the objects of a healthy cluster, whose clock is that of the tests."""
    for name, items in {**objects(), **changes}.items():
        resource = KINDS[name].resource
        kind = Kind(resource.group, resource.version, resource.plural)
        for item in items:
            namespace = item["metadata"].get("namespace", "")
            api.storage.objects[kind, namespace, item["metadata"]["name"]] = item


def answer(created: dict[str, Any]) -> dict[str, Any]:
    """Admit a pod as the injector does."""
    return injected(created)


async def doctor(api: ApiServer, folder: Path, *words: str) -> int:
    """Run the command against an API server of this event loop, and return its status."""
    return await asyncio.to_thread(cli.main, ["doctor", "--kubeconfig", str(api.kubeconfig(folder)), *words])


@pytest.mark.asyncio
async def test_findings_are_printed_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ApiServer(admits=answer) as api:
        fill(api, pods=[plain_pod()])
        assert await doctor(api, tmp_path, "--output", "json") == 1
        asked = {call.path for call in api.calls}
        trials = [call for call in api.calls if "dryRun" in call.query]
    found = json.loads(capsys.readouterr().out)
    problems = [one for one in found["findings"] if one["level"] in {"error", "warning"}]
    assert (found["namespace"], found["problems"]) == (RELEASE, len(problems))
    assert "models/deployment/loans" in {one["where"] for one in problems}
    assert "webhook answers" in json.dumps([one["what"] for one in found["findings"] if one["check"] == "webhook"])
    assert [call.body["metadata"]["namespace"] for call in trials] == ["models"]
    assert not any("secrets" in path for path in asked)


@pytest.mark.asyncio
async def test_a_table_has_the_remedies_and_progress_goes_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ApiServer(reviews=lambda attributes: attributes["resource"] != "services") as api:
        fill(api)
        assert await doctor(api, tmp_path, "-n", "models") == 1
        pods = {call.path for call in api.calls if call.path.endswith("/pods") and call.method == "GET"}
    out, err = capsys.readouterr()
    assert "it may not list services in all namespaces" in out
    assert "the webhook did not answer for a trial pod in namespace models" in out
    assert "-> install the roles of this version again" in out
    assert "asking for" in err
    assert pods == {"/api/v1/namespaces/models/pods"}


@pytest.mark.asyncio
async def test_what_may_not_be_read_is_unknown_and_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ApiServer(allows=lambda user, call: call.path == "/version") as api:
        assert await doctor(api, tmp_path) == 0
    out = capsys.readouterr().out
    assert "unknown  access" in out
    assert "0 problems" in out


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('pods is forbidden: User "u" cannot create resource "pods"', "answer of the webhook is unknown"),
        ('pods "x" is forbidden: exceeded quota: q', "a trial pod was refused in namespace models"),
    ],
)
async def test_a_refused_trial_says_who_refused_it(
    message: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(created: dict[str, Any]) -> dict[str, Any]:
        raise Problem(403, "Forbidden", message)

    async with ApiServer(admits=refuse) as api:
        fill(api)
        await doctor(api, tmp_path)
    assert expected in capsys.readouterr().out


@pytest.mark.asyncio
async def test_a_cluster_that_does_not_answer_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ApiServer() as api:
        api.faults.append(Fault(status=403, reason="Forbidden"))
        assert await doctor(api, tmp_path) == 2
    assert "GET /version failed" in capsys.readouterr().err
    assert await asyncio.to_thread(cli.main, ["doctor", "--kubeconfig", str(tmp_path / "none")]) == 2
